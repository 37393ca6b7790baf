package faults_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// slotsLanes names the environment variable with the number of requests that a worker serves
// at once.
const slotsLanes = "UPLOAD_RESPONSE_TEST_LANES"

// slotsHang names the environment variable of a worker that answers nothing.
const slotsHang = "UPLOAD_RESPONSE_TEST_HANG"

// slotsRole is a worker of the pool "slots" that uses the slot-level API and keeps
// its rules. What it does with a request stands in the last part of the path.
func slotsRole() {
	ctx := context.Background()
	lanes, err := strconv.Atoi(cmp.Or(os.Getenv(slotsLanes), "64"))
	must(err)
	for {
		link, err := worker.Attach(ctx, os.Getenv(harness.SocketVariable), worker.WithPool("slots"),
			worker.WithLanes(lanes))
		if err != nil {
			time.Sleep(10 * time.Millisecond) // until the server is back
			continue
		}
		for {
			r, err := link.Next(ctx)
			if err != nil {
				fmt.Printf("<link: %v>\n", err)
				break
			}
			go serveSlots(ctx, r)
		}
	}
}

func serveSlots(ctx context.Context, r *worker.Request) {
	header, err := r.Header()
	must(err)
	fmt.Println("<took>")
	path, _, _ := strings.Cut(header.Path, "?")
	switch _, task, _ := strings.Cut(path, "/slots/"); task {
	case "late":
		late(ctx, r, false)
	case "late-with-headers":
		late(ctx, r, true)
	case "unread":
		<-r.Done()
		fmt.Printf("<%v>\n", r.Cancelled())
		r.Abort()
	case "leak":
		leak(ctx, r)
	case "exit":
		os.Exit(3)
	case "ticks":
		ticks(ctx, r)
	case "hang":
		select {} // whatever becomes of the request
	case "endless":
		endless(ctx, r)
	default:
		if os.Getenv(slotsHang) != "" {
			select {}
		}
		must(r.Respond(ctx, 200, []proto.Field{{Name: "content-length", Value: "5"}}))
		_, err := r.Write([]byte("slots"))
		must(err)
		must(r.End(ctx))
	}
}

// late answers a request of which nobody wants to hear any more, and says what
// comes of each call.
func late(ctx context.Context, r *worker.Request, headers bool) {
	if headers {
		must(r.Respond(ctx, 200, nil))
		_, err := r.Write([]byte("early"))
		must(err)
		must(r.Flush())
		fmt.Println("<flushed>")
	}
	_, err := r.Tail(ctx, 3) // beyond the end
	report := func(call string, err error) { fmt.Printf("<%s: %v>\n", call, err) }
	report("tail", err)
	if !headers {
		report("respond", r.Respond(ctx, 200, nil))
	} else {
		_, err = r.Reserve(ctx)
		report("reserve", err)
		_, err = r.Write([]byte("late"))
		report("write", err)
	}
	report("flush", r.Flush())
	report("end", r.End(ctx))
	r.Abort()
	fmt.Println("<over>")
}

// slotsTicks is how many parts ticks sends.
const slotsTicks = 30

// ticks sends a response slowly, part by part.
func ticks(ctx context.Context, r *worker.Request) {
	must(r.Respond(ctx, 200, nil))
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for range slotsTicks {
		_, err := r.Write([]byte("tick "))
		must(err)
		must(r.Flush())
		<-ticker.C
	}
	must(r.End(ctx))
}

// leak reads every slot, and releases none, ever.
func leak(ctx context.Context, r *worker.Request) {
	for n := uint64(1); ; n++ {
		if _, err := r.Tail(ctx, n); err != nil {
			fmt.Printf("<%v>\n", err)
			return
		}
	}
}

// endless sends until the client takes no more, says so, and then sends on.
func endless(ctx context.Context, r *worker.Request) {
	must(r.Respond(ctx, 200, nil))
	for err := error(nil); err == nil; {
		moment, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err = r.WriteContext(moment, make([]byte, 1<<16))
		cancel()
	}
	fmt.Println("<stalled>")
	for err := error(nil); err == nil; {
		_, err = r.Write(make([]byte, 1<<16))
	}
	r.Abort()
}
