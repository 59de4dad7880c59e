%% Erlang does the work of actor-bench: an actor is a process.
%%
%% usage: erl -noshell +P 4000000 -pa DIR -run peerbench main BENCH DIVISOR
%% Does one part in DIVISOR of a full run and prints one JSON line, as actor-bench does.
-module(peerbench).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

main([Bench, Divisor]) ->
    Million = 1000000 div list_to_integer(Divisor),
    {Key, Value} = run(list_to_atom(Bench), Million),
    io:format("{\"bench\":\"~s\",\"impl\":\"erlang\",\"~s\":~b}~n", [Bench, Key, round(Value)]),
    halt(0).

run('ping-pong', M) -> rate(2 * M, fun(N) -> ping_pong(1, N) end);
run('ping-pong-100', M) -> rate(2 * M, fun(N) -> ping_pong(100, N div 100) end);
run('1-to-1', M) -> rate(4 * M, fun(N) -> fan_in(1, N) end);
run('8-to-1', M) -> rate(4 * M, fun(N) -> fan_in(8, N div 8) end);
run(ring, M) -> rate(4 * M, fun ring/1);
run('spawn-stop', M) -> rate(M, fun spawn_stop/1);
run('idle-memory', M) -> {bytes_per_actor, idle_memory(M)};
run(big, M) -> rate(2 * M, fun big/1);
run(skynet, M) when M < 1000000 -> rate(10000, fun skynet/1);
run(skynet, M) -> rate(M, fun skynet/1);
run('ask-task', M) -> rate(M, fun ask/1);
run('agent-send', M) -> rate(2 * M, fun agent_send/1);
run('parallel-sum', M) -> {ops_per_s, parallel_sum(20 * M)}.

%% Warms up with a tenth of the work, then times all of it.
rate(Operations, Work) ->
    Work(Operations div 10),
    {ops_per_s, Operations / seconds(fun() -> Work(Operations) end)}.

seconds(Work) ->
    Start = erlang:monotonic_time(nanosecond),
    Work(),
    (erlang:monotonic_time(nanosecond) - Start) / 1.0e9.

await(0) -> ok;
await(N) -> receive done -> await(N - 1) end.

%% Arrivals are counted in a process of their own: a million messages that wait at the process which spawns
%% would be looked at by each of its garbage collections.
latch(N) ->
    Main = self(),
    spawn(fun() -> await(N), Main ! done end).

%% ping-pong

ponger() ->
    receive
        {ping, Sender, Value} -> Sender ! {pong, Value + 1}, ponger();
        stop -> ok
    end.

pinger(Peer, Value, Value, Main) -> Peer ! stop, Main ! done;
pinger(Peer, Value, Rounds, Main) ->
    Peer ! {ping, self(), Value},
    receive {pong, Next} -> pinger(Peer, Next, Rounds, Main) end.

ping_pong(Pairs, Rounds) ->
    Main = self(),
    [spawn(fun() -> pinger(spawn(fun ponger/0), 0, Rounds, Main) end) || _ <- lists:seq(1, Pairs)],
    await(Pairs).

%% fan-in

counter(Expected, Expected, Main) -> Main ! done;
counter(Total, Expected, Main) -> receive Value -> counter(Total + Value, Expected, Main) end.

sender(_, 0) -> ok;
sender(Receiver, Left) -> Receiver ! 1, sender(Receiver, Left - 1).

%% With its queue off the heap: several times faster for a receiver that falls behind.
fan_in(Senders, Each) ->
    Main = self(),
    Options = [{message_queue_data, off_heap}],
    Receiver = spawn_opt(fun() -> counter(0, Senders * Each, Main) end, Options),
    [spawn(fun() -> sender(Receiver, Each) end) || _ <- lists:seq(1, Senders)],
    await(1).

%% ring

ring_node(Next, Main) ->
    receive
        {link, Node} -> ring_node(Node, Main);
        {token, 0} -> Main ! done, ring_node(Next, Main);
        {token, Hops} -> Next ! {token, Hops - 1}, ring_node(Next, Main);
        stop -> ok
    end.

ring(Hops) ->
    Main = self(),
    Nodes = [spawn(fun() -> ring_node(none, Main) end) || _ <- lists:seq(1, 10000)],
    [First | Rest] = Nodes,
    lists:zipwith(fun(Node, Next) -> Node ! {link, Next} end, Nodes, Rest ++ [First]),
    First ! {token, Hops},
    await(1),
    [Node ! stop || Node <- Nodes].

%% spawn-stop and idle-memory

spawn_stop(Count) ->
    Latch = latch(Count),
    spawn_mayflies(Count, Latch),
    await(1).

spawn_mayflies(0, _) -> ok;
spawn_mayflies(Left, Latch) ->
    spawn(fun() -> receive {work, _} -> Latch ! done end end) ! {work, Left},
    spawn_mayflies(Left - 1, Latch).

sleeper(Seen, Latch) -> receive {work, Value} -> Latch ! done, sleeper(Seen + Value, Latch) end.

idle_memory(Count) ->
    Before = resident_bytes(),
    Latch = latch(Count),
    Kept = [begin Pid = spawn(fun() -> sleeper(0, Latch) end), Pid ! {work, I}, Pid end || I <- lists:seq(1, Count)],
    await(1),
    After = resident_bytes(),
    Count = length(Kept),
    (After - Before) / Count.

resident_bytes() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(Text, " \n"),
    binary_to_integer(Pages) * 4096.

%% big

big(Messages) ->
    Main = self(),
    Pings = Messages div 2000,
    Nodes = [spawn(fun() -> big_node(Pings, Seed, Main) end) || Seed <- lists:seq(1, 1000)],
    Peers = list_to_tuple(Nodes),
    [Node ! {start, Peers} || Node <- Nodes],
    await(1000),
    [Node ! stop || Node <- Nodes].

big_node(Pings, Seed, Main) -> receive {start, Peers} -> big_ping(Pings, Seed, Peers, Main) end.

big_ping(0, _, _, Main) -> Main ! done, big_serve();
big_ping(Left, Seed, Peers, Main) ->
    %% A smaller generator than the others', whose state would not fit in one of Erlang's small integers.
    Next = (Seed * 1103515245 + 12345) band 16#7fffffff,
    element((Next bsr 8) rem tuple_size(Peers) + 1, Peers) ! {ping, self()},
    big_wait(Left - 1, Next, Peers, Main).

big_wait(Left, Seed, Peers, Main) ->
    receive
        {ping, Sender} -> Sender ! pong, big_wait(Left, Seed, Peers, Main);
        pong -> big_ping(Left, Seed, Peers, Main)
    end.

big_serve() -> receive {ping, Sender} -> Sender ! pong, big_serve(); stop -> ok end.

%% skynet

node(Superior, First, 1) -> Superior ! {sum, First};
node(Superior, First, Size) ->
    Self = self(),
    Part = Size div 10,
    [spawn(fun() -> node(Self, First + I * Part, Part) end) || I <- lists:seq(0, 9)],
    Superior ! {sum, sums(10, 0)}.

sums(0, Total) -> Total;
sums(Left, Total) -> receive {sum, Sum} -> sums(Left - 1, Total + Sum) end.

skynet(Size) ->
    Self = self(),
    spawn(fun() -> node(Self, 0, Size) end),
    Expected = Size * (Size - 1) div 2,
    Expected = sums(1, 0).

%% ask-task: gen_server:call

init(Served) -> {ok, Served}.
handle_call(Value, _, Served) -> {reply, Value + 1, Served + 1}.
handle_cast(_, Served) -> {noreply, Served}.

ask(Count) ->
    {ok, Server} = gen_server:start(?MODULE, 0, []),
    Count = ask(Server, 0, Count),
    gen_server:stop(Server).

ask(_, Count, Count) -> Count;
ask(Server, Value, Count) -> ask(Server, gen_server:call(Server, Value), Count).

%% agent-send

agent(State) ->
    receive
        {run, Action} -> agent(Action(State));
        {get, Sender} -> Sender ! {state, State}
    end.

agent_send(Count) ->
    Agent = spawn_opt(fun() -> agent(0) end, [{message_queue_data, off_heap}]),
    send_actions(Agent, Count),
    Agent ! {get, self()},
    receive {state, Count} -> ok end.

send_actions(_, 0) -> ok;
send_actions(Agent, Left) ->
    Agent ! {run, fun(State) when Left > 0 -> State + 1 end},
    send_actions(Agent, Left - 1).

%% parallel-sum, over one shared binary of 64-bit integers

add_up(<<Number:64/native-signed, Rest/binary>>, Total) -> add_up(Rest, Total + Number);
add_up(<<>>, Total) -> Total.

parallel_sum(Count) ->
    Block = << <<I:64/native-signed>> || I <- lists:seq(0, 1023) >>,
    Numbers = binary:part(binary:copy(Block, Count div 1024 + 1), 0, Count * 8),
    Expected = add_up(Numbers, 0),
    Workers = erlang:system_info(schedulers_online),
    Cut = fun(W) -> Count * W div Workers * 8 end,
    Parts = [binary:part(Numbers, Cut(W), Cut(W + 1) - Cut(W)) || W <- lists:seq(0, Workers - 1)],
    Main = self(),
    Seconds = seconds(fun() ->
        [spawn(fun() -> Main ! {sum, add_up(Part, 0)} end) || Part <- Parts],
        Expected = sums(Workers, 0)
    end),
    Count / Seconds.
