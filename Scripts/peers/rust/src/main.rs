//! Tokio does the work of actor-bench: an actor is a task, its mailbox an unbounded channel.
//!
//! usage: peerbench BENCH DIVISOR
//! Does one part in DIVISOR of a full run and prints one JSON line, as actor-bench does.
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use tokio::spawn;
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

/// Warms up with a tenth of the work, then times all of it.
async fn rate<F: Future<Output = ()>>(operations: usize, work: impl Fn(usize) -> F) -> f64 {
    work(operations / 10).await;
    let start = Instant::now();
    work(operations).await;
    operations as f64 / start.elapsed().as_secs_f64()
}

async fn arrivals(mut done: UnboundedReceiver<()>, count: usize) {
    for _ in 0..count {
        done.recv().await.unwrap();
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides
    }
}

async fn ping_pong(pairs: usize, rounds: usize) {
    let (done, arrived) = unbounded_channel();
    for _ in 0..pairs {
        let (peer, mut pings) = unbounded_channel::<(usize, UnboundedSender<usize>)>();
        let (me, mut pongs) = unbounded_channel();
        let done = done.clone();
        spawn(async move {
            while let Some((value, sender)) = pings.recv().await {
                let _ = sender.send(value + 1);
            }
        });
        spawn(async move {
            let mut value = 0;
            while value < rounds {
                peer.send((value, me.clone())).ok().unwrap();
                value = pongs.recv().await.unwrap();
            }
            done.send(()).unwrap();
        });
    }
    arrivals(arrived, pairs).await;
}

async fn fan_in(senders: usize, each: usize) {
    let (receiver, mut inbox) = unbounded_channel();
    let counter = spawn(async move {
        let mut total = 0;
        while let Some(value) = inbox.recv().await {
            total += value;
        }
        total
    });
    for _ in 0..senders {
        let receiver = receiver.clone();
        spawn(async move {
            for _ in 0..each {
                receiver.send(1usize).unwrap();
            }
        });
    }
    drop(receiver);
    assert_eq!(counter.await.unwrap(), senders * each);
}

async fn ring(hops: usize) {
    const SIZE: usize = 10_000;
    let (done, arrived) = unbounded_channel();
    let (addresses, inboxes): (Vec<_>, Vec<_>) = (0..SIZE).map(|_| unbounded_channel::<Option<usize>>()).unzip();
    for (index, mut inbox) in inboxes.into_iter().enumerate() {
        let (next, done) = (addresses[(index + 1) % SIZE].clone(), done.clone());
        spawn(async move {
            while let Some(Some(left)) = inbox.recv().await {
                if left == 0 {
                    done.send(()).unwrap();
                } else {
                    let _ = next.send(Some(left - 1));
                }
            }
        });
    }
    addresses[0].send(Some(hops)).unwrap();
    arrivals(arrived, 1).await;
    for address in addresses {
        let _ = address.send(None);
    }
}

async fn spawn_stop(count: usize) {
    let (done, arrived) = unbounded_channel();
    for number in 0..count {
        let (address, mut inbox) = unbounded_channel();
        let done = done.clone();
        spawn(async move {
            inbox.recv().await.unwrap();
            done.send(()).unwrap();
        });
        address.send(number).unwrap();
    }
    arrivals(arrived, count).await;
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

async fn idle_memory(count: usize) -> f64 {
    let (done, arrived) = unbounded_channel();
    let mut kept = Vec::with_capacity(count);
    let before = resident_bytes();
    for number in 0..count {
        let (address, mut inbox) = unbounded_channel::<usize>();
        let done = done.clone();
        spawn(async move {
            let mut seen = 0;
            while let Some(value) = inbox.recv().await {
                seen += value;
                done.send(()).unwrap();
            }
            seen
        });
        address.send(number).unwrap();
        kept.push(address);
    }
    arrivals(arrived, count).await;
    let bytes = (resident_bytes() - before) as f64 / count as f64;
    assert_eq!(kept.len(), count);
    bytes
}

enum Big {
    Start(Arc<Vec<UnboundedSender<Big>>>),
    Ping(UnboundedSender<Big>),
    Pong,
    Stop,
}

async fn big(messages: usize) {
    const SIZE: usize = 1_000;
    let (done, arrived) = unbounded_channel();
    let mut peers = Vec::new();
    for seed in 0..SIZE {
        let (me, mut inbox) = unbounded_channel();
        peers.push(me.clone());
        let done = done.clone();
        spawn(async move {
            let (mut dice, mut left) = (Dice(seed as u64), messages / (2 * SIZE));
            let mut peers = Arc::new(Vec::<UnboundedSender<Big>>::new());
            while let Some(message) = inbox.recv().await {
                match message {
                    Big::Ping(sender) => {
                        let _ = sender.send(Big::Pong);
                        continue;
                    }
                    Big::Start(all) => peers = all,
                    Big::Pong => {}
                    Big::Stop => break,
                }
                if left == 0 {
                    done.send(()).unwrap();
                } else {
                    left -= 1;
                    let _ = peers[dice.roll(SIZE)].send(Big::Ping(me.clone()));
                }
            }
        });
    }
    let peers = Arc::new(peers);
    for peer in peers.iter() {
        peer.send(Big::Start(peers.clone())).ok().unwrap();
    }
    arrivals(arrived, SIZE).await;
    for peer in peers.iter() {
        let _ = peer.send(Big::Stop);
    }
}

fn node(superior: UnboundedSender<usize>, first: usize, size: usize) {
    spawn(async move {
        if size == 1 {
            superior.send(first).unwrap();
            return;
        }
        let (me, mut inbox) = unbounded_channel();
        let part = size / 10;
        for index in 0..10 {
            node(me.clone(), first + index * part, part);
        }
        let mut total = 0;
        for _ in 0..10 {
            total += inbox.recv().await.unwrap();
        }
        superior.send(total).unwrap();
    });
}

async fn skynet(size: usize) {
    let (me, mut inbox) = unbounded_channel();
    node(me, 0, size);
    assert_eq!(inbox.recv().await, Some(size * (size - 1) / 2));
}

async fn ask(count: usize) {
    let (server, mut inbox) = unbounded_channel::<(usize, oneshot::Sender<usize>)>();
    spawn(async move {
        let mut served = 0;
        while let Some((value, reply)) = inbox.recv().await {
            served += 1;
            let _ = reply.send(value + 1);
        }
        served
    });
    let mut value = 0;
    while value < count {
        let (reply, answer) = oneshot::channel();
        server.send((value, reply)).unwrap();
        value = answer.await.unwrap();
    }
}

async fn agent_send(count: usize) {
    let (agent, mut inbox) = unbounded_channel::<Box<dyn FnOnce(&mut usize) + Send>>();
    let reader = spawn(async move {
        let mut state = 0;
        while let Some(action) = inbox.recv().await {
            action(&mut state);
        }
        state
    });
    for number in 1..=count {
        agent.send(Box::new(move |state| *state += usize::from(number > 0))).ok().unwrap();
    }
    drop(agent);
    assert_eq!(reader.await.unwrap(), count);
}

fn add_up(numbers: &[i64]) -> i64 {
    numbers.iter().fold(0, |total, number| total.wrapping_add(*number))
}

async fn parallel_sum(count: usize) -> f64 {
    let workers = std::thread::available_parallelism().unwrap().get();
    let numbers: Arc<Vec<i64>> = Arc::new((0..count as i64).map(|i| i & 1023).collect());
    let start = Instant::now();
    let parts: Vec<_> = (0..workers)
        .map(|w| {
            let numbers = numbers.clone();
            spawn(async move { add_up(&numbers[count * w / workers..count * (w + 1) / workers]) })
        })
        .collect();
    let mut total = 0;
    for part in parts {
        total += part.await.unwrap();
    }
    let elapsed = start.elapsed();
    assert_eq!(total, add_up(&numbers));
    count as f64 / elapsed.as_secs_f64()
}

async fn run(bench: String, divisor: usize) {
    let million = 1_000_000 / divisor;
    let mut key = "ops_per_s";
    let value = match bench.as_str() {
        "ping-pong" => rate(2 * million, |n| ping_pong(1, n)).await,
        "ping-pong-100" => rate(4 * million, |n| ping_pong(100, n / 100)).await,
        "1-to-1" => rate(8 * million, |n| fan_in(1, n)).await,
        "8-to-1" => rate(8 * million, |n| fan_in(8, n / 8)).await,
        "ring" => rate(4 * million, ring).await,
        "spawn-stop" => rate(million, spawn_stop).await,
        "idle-memory" => {
            key = "bytes_per_actor";
            idle_memory(million).await
        }
        "big" => rate(2 * million, big).await,
        "skynet" => rate(if divisor > 1 { 10_000 } else { 1_000_000 }, skynet).await,
        "ask-task" => rate(million, ask).await,
        "agent-send" => rate(2 * million, agent_send).await,
        "parallel-sum" => parallel_sum(100 * million).await,
        _ => panic!("no benchmark {bench}"),
    };
    println!("{{\"bench\":\"{bench}\",\"impl\":\"rust\",\"{key}\":{value:.0}}}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, bench, divisor] = arguments.as_slice() else { panic!("usage: peerbench BENCH DIVISOR") };
    let divisor: usize = divisor.parse().expect("the divisor is a number above 0");
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    // In a task of its own: the thread that calls block_on is none of the workers.
    let task = runtime.spawn(run(bench.clone(), divisor));
    runtime.block_on(task).unwrap();
}
