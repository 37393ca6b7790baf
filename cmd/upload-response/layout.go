package main

import (
	"fmt"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/shm"
)

// layout prints every word of the shared memory.
func (p *program) layout(args []string) error {
	flags := &cli.FlagSet{Command: "upload-response layout",
		Summary: "prints every word of the shared memory, and the hash of them all"}
	if done, err := flags.ParseOrHelp(args, p.getenv, p.stdout); done || err != nil {
		return err
	}
	if err := shm.WriteLayoutTable(p.stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "\nlayouts %d to %d, hash %#016x\n", shm.LayoutMin, shm.LayoutMax, shm.LayoutHash())
	return err
}
