package chaos_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
)

// job is one exchange: what is sent, and what has to come back.
type job struct {
	method, path string
	task         string // for the counts
	chunked      bool
	body         []byte
	want         []byte
	early        bool // the response does not wait for the body
	leave        leave
}

// leave says how a client gives up, if it does.
type leave struct {
	after int  // bytes sent, or received; -1: never
	down  bool // received
	reset bool // with a reset instead of an orderly end
}

// newJob makes one up, with so many bytes each way at most.
func newJob(r *rand.Rand, most int) job {
	seed := r.Uint64()
	j := job{method: "POST", chunked: r.IntN(2) == 0, leave: leave{after: -1}}
	switch n := r.IntN(10); {
	case n < 4:
		j.task = "echo"
		j.body = pattern(seed).bytes(someSize(r, most))
		j.want = j.body
	case n < 7:
		j.task = "digest"
		j.body = pattern(seed).bytes(someSize(r, most))
		sum := sha256.Sum256(j.body)
		j.want = []byte(digestText(sum[:], int64(len(j.body))))
		if r.IntN(2) == 0 {
			j.method = "PUT"
		}
	case n < 9:
		j.task, j.method, j.chunked = "pattern", "GET", false
		j.want = pattern(seed).bytes(someSize(r, most))
	default:
		j.task, j.early = "early", true
		j.body = pattern(^seed).bytes(someSize(r, most))
		j.want = pattern(seed).bytes(someSize(r, most))
	}
	prefix := ""
	if r.IntN(8) == 0 {
		prefix = aloneRoute
	}
	j.path = fmt.Sprintf("%s/%s?seed=%d&size=%d&declare=%d", prefix, j.task, seed, len(j.want), r.IntN(2))
	if r.IntN(10) == 0 {
		j.leave = newLeave(r, &j)
	}
	return j
}

// newLeave has a client give up somewhere.
func newLeave(r *rand.Rand, j *job) leave {
	l := leave{down: r.IntN(2) == 0, reset: r.IntN(2) == 0}
	if l.down {
		l.after = r.IntN(len(j.want) + 1)
	} else {
		l.after = r.IntN(len(j.body) + 1)
	}
	return l
}

// outcome is what came of an exchange, as docs/faults.md allows it.
type outcome int

const (
	whole    outcome = iota // 200, and every byte right
	broken                  // 200, what came is right, and the end is missing
	lost                    // 502: the worker died, and the request may not be served twice
	noWorker                // 503, Retry-After
	left                    // the client gave up
	outcomes
)

func (o outcome) String() string {
	return [outcomes]string{"whole", "broken off", "502", "503", "client left"}[o]
}
