package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// runGoDriver is the driver of the Go SDK, which README.md describes. Every
// request has a goroutine, whose calls wait.
func runGoDriver() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var links sync.WaitGroup
	for number := range envNumber(linksVariable, 1) {
		links.Go(func() { attachAndServe(ctx, number) })
	}
	links.Wait()
}

func envNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// print prints a line with a single write, so that goroutines do not mix theirs.
func print(id, format string, args ...any) {
	fmt.Fprint(os.Stdout, id+" "+fmt.Sprintf(format, args...)+"\n")
}

// attachAndServe serves one link after the other until ctx ends.
func attachAndServe(ctx context.Context, number int) {
	pool := os.Getenv("UPLOAD_RESPONSE_POOL")
	if pool == "" {
		pool = "default"
	}
	for ctx.Err() == nil {
		link, err := worker.Attach(ctx, os.Getenv(harness.SocketVariable), worker.WithPool(pool),
			worker.WithLanes(envNumber(lanesVariable, 64)))
		var refusal *attach.Refusal
		if errors.As(err, &refusal) && refusal.Code == attach.CodePool {
			print("-", "refused %s", refusal.Message)
			os.Exit(3)
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // until a server is there
			continue
		}
		print("-", "attached %d", number)
		serveLink(ctx, link, number)
	}
}

func serveLink(ctx context.Context, link *worker.Link, number int) {
	gates := &gates{open: map[string]chan struct{}{}}
	var tasks sync.WaitGroup
	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		print("-", "draining %d", number)
		_ = link.Drain(context.Background())
		close(drained)
	})
	for {
		r, err := link.Next(context.Background())
		if err != nil {
			break
		}
		tasks.Go(func() { newTask(r, gates).run(number) })
	}
	tasks.Wait()
	if stop() {
		print("-", "gone %d", number)
		return
	}
	<-drained
	print("-", "drained %d", number)
}

// gates is where requests are held until another lets them through.
type gates struct {
	sync.Mutex
	open map[string]chan struct{} // closed when the gate is open
}

func (g *gates) gate(name string) chan struct{} {
	g.Lock()
	defer g.Unlock()
	if g.open[name] == nil {
		g.open[name] = make(chan struct{})
	}
	return g.open[name]
}
