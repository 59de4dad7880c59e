// Go does the work of actor-bench: an actor is a goroutine, its mailbox a channel.
//
// usage: peerbench BENCH DIVISOR
// Does one part in DIVISOR of a full run and prints one JSON line, as actor-bench does.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Sends block on a full channel, so fan-in needs one with room; 1,024 is generous.
const mailbox = 1024

func must(ok bool, what string) {
	if !ok {
		panic(what)
	}
}

// rate warms up with a tenth of the work, then times all of it.
func rate(operations int, work func(int)) float64 {
	work(operations / 10)
	start := time.Now()
	work(operations)
	return float64(operations) / time.Since(start).Seconds()
}

type dice uint64

func (d *dice) roll(sides int) int {
	*d = *d*6364136223846793005 + 1442695040888963407
	return int(uint64(*d)>>33) % sides
}

type question struct {
	value  int
	answer chan<- int
}

func serve(questions <-chan question) {
	served := 0
	for q := range questions {
		served++
		q.answer <- q.value + 1
	}
}

func pingPong(pairs, rounds int) {
	var done sync.WaitGroup
	done.Add(pairs)
	for p := 0; p < pairs; p++ {
		questions, answers := make(chan question), make(chan int)
		go serve(questions)
		go func() {
			value := 0
			for value < rounds {
				questions <- question{value, answers}
				value = <-answers
			}
			close(questions)
			done.Done()
		}()
	}
	done.Wait()
}

func fanIn(senders, each int) {
	inbox, result := make(chan int, mailbox), make(chan int)
	go func() {
		total := 0
		for total < senders*each {
			total += <-inbox
		}
		result <- total
	}()
	for s := 0; s < senders; s++ {
		go func() {
			for i := 0; i < each; i++ {
				inbox <- 1
			}
		}()
	}
	must(<-result == senders*each, "messages were lost")
}

func ring(hops int) {
	const size = 10_000
	done := make(chan bool)
	inboxes := make([]chan int, size)
	for i := range inboxes {
		inboxes[i] = make(chan int, 1)
	}
	for i := range inboxes {
		inbox, next := inboxes[i], inboxes[(i+1)%size]
		go func() {
			for left := range inbox {
				if left == 0 {
					done <- true
				} else {
					next <- left - 1
				}
			}
		}()
	}
	inboxes[0] <- hops
	<-done
	for _, inbox := range inboxes {
		close(inbox)
	}
}

func spawnStop(count int) {
	var done sync.WaitGroup
	done.Add(count)
	for i := 0; i < count; i++ {
		inbox := make(chan int, 1)
		go func() {
			<-inbox
			done.Done()
		}()
		inbox <- i
	}
	done.Wait()
}

func residentBytes() int {
	text, err := os.ReadFile("/proc/self/statm")
	must(err == nil, "no /proc")
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	must(err == nil, "no number in /proc/self/statm")
	return pages * os.Getpagesize()
}

func idleMemory(count int) float64 {
	var ready sync.WaitGroup
	ready.Add(count)
	inboxes := make([]chan int, count)
	runtime.GC()
	before := residentBytes()
	for i := range inboxes {
		inbox := make(chan int, 1)
		go func() {
			seen := 0
			for value := range inbox {
				seen += value
				ready.Done()
			}
		}()
		inbox <- i
		inboxes[i] = inbox
	}
	ready.Wait()
	after := residentBytes()
	runtime.KeepAlive(inboxes)
	return float64(after-before) / float64(count)
}

// A ping carries the mailbox to answer to; a pong carries none.
type bigMessage struct{ sender chan<- bigMessage }

func big(messages int) {
	const size = 1_000
	pings := messages / (2 * size)
	var done sync.WaitGroup
	done.Add(size)
	inboxes := make([]chan bigMessage, size)
	for i := range inboxes {
		inboxes[i] = make(chan bigMessage, size+1) // each has one ping out at most: no send blocks
	}
	for seed, inbox := range inboxes {
		go func(self chan bigMessage, random dice) {
			left := pings
			for m := range self {
				switch {
				case m.sender != nil:
					m.sender <- bigMessage{}
				case left > 0:
					left--
					inboxes[random.roll(size)] <- bigMessage{self}
				default:
					done.Done()
				}
			}
		}(inbox, dice(seed))
		inbox <- bigMessage{} // starts it, like a pong
	}
	done.Wait()
	for _, inbox := range inboxes {
		close(inbox)
	}
}

func node(superior chan<- int, first, size int) {
	if size == 1 {
		superior <- first
		return
	}
	inbox, part, total := make(chan int), size/10, 0
	for i := 0; i < 10; i++ {
		go node(inbox, first+i*part, part)
	}
	for i := 0; i < 10; i++ {
		total += <-inbox
	}
	superior <- total
}

func skynet(size int) {
	result := make(chan int)
	go node(result, 0, size)
	must(<-result == size*(size-1)/2, "a leaf is missing")
}

func ask(count int) {
	questions := make(chan question)
	go serve(questions)
	value := 0
	for value < count {
		answer := make(chan int, 1) // a way back for each question
		questions <- question{value, answer}
		value = <-answer
	}
	close(questions)
}

func agentSend(count int) {
	actions, result := make(chan func(*int), mailbox), make(chan int)
	go func() {
		state := 0
		for action := range actions {
			action(&state)
		}
		result <- state
	}()
	for i := 1; i <= count; i++ {
		i := i
		actions <- func(state *int) {
			if i > 0 {
				*state++
			}
		}
	}
	close(actions)
	must(<-result == count, "an action was lost")
}

func addUp(numbers []int64) (total int64) {
	for _, n := range numbers {
		total += n
	}
	return
}

func parallelSum(count int) float64 {
	numbers := make([]int64, count)
	for i := range numbers {
		numbers[i] = int64(i & 1023)
	}
	workers, sums := runtime.GOMAXPROCS(0), make(chan int64)
	start := time.Now()
	for w := 0; w < workers; w++ {
		part := numbers[count*w/workers : count*(w+1)/workers]
		go func() { sums <- addUp(part) }()
	}
	var total int64
	for w := 0; w < workers; w++ {
		total += <-sums
	}
	elapsed := time.Since(start)
	must(total == addUp(numbers), "a number is missing")
	return float64(count) / elapsed.Seconds()
}

func main() {
	must(len(os.Args) == 3, "usage: peerbench BENCH DIVISOR")
	bench := os.Args[1]
	divisor, err := strconv.Atoi(os.Args[2])
	must(err == nil && divisor > 0, "the divisor is no number above 0")
	key, value := "ops_per_s", 0.0
	million := 1_000_000 / divisor
	switch bench {
	case "ping-pong":
		value = rate(2*million, func(n int) { pingPong(1, n) })
	case "ping-pong-100":
		value = rate(4*million, func(n int) { pingPong(100, n/100) })
	case "1-to-1":
		value = rate(8*million, func(n int) { fanIn(1, n) })
	case "8-to-1":
		value = rate(8*million, func(n int) { fanIn(8, n/8) })
	case "ring":
		value = rate(4*million, ring)
	case "spawn-stop":
		value = rate(million, spawnStop)
	case "idle-memory":
		key, value = "bytes_per_actor", idleMemory(million)
	case "big":
		value = rate(2*million, big)
	case "skynet":
		size := 1_000_000
		if divisor > 1 {
			size = 10_000
		}
		skynet(size / 10)
		start := time.Now()
		skynet(size)
		value = float64(size) / time.Since(start).Seconds()
	case "ask-task":
		value = rate(million, ask)
	case "agent-send":
		value = rate(2*million, agentSend)
	case "parallel-sum":
		value = parallelSum(100 * million)
	default:
		must(false, "no benchmark "+bench)
	}
	fmt.Printf("{\"bench\":%q,\"impl\":\"go\",%q:%.0f}\n", bench, key, value)
}
