package role

import (
	"context"
	"flag"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/worker"
)

// workerRole serves the handler as a worker.
func workerRole(args []string) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	socket, pool := flags.String("socket", "", "path"), flags.String("pool", "go", "name")
	lanes := flags.Int("lanes", 64, "requests served at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	return worker.Serve(ctx, *socket, Handler, worker.WithPool(*pool), worker.WithLanes(*lanes))
}
