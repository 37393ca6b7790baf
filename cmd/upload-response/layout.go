package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/shm"
)

const layoutExample = `
# Compare the layouts of two programs by the hash in the last line
upload-response layout
`

func (p *program) layoutCommand() *cobra.Command {
	return cli.NewCommand(&cli.FlagSet{
		Command: "upload-response layout", Example: layoutExample,
		Summary: "prints every word of the shared memory, and the hash of them all",
	}, p.getenv, p.layout)
}

// layout prints every word of the shared memory.
func (p *program) layout([]string) error {
	if err := shm.WriteLayoutTable(p.stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "\nlayouts %d to %d, hash %#016x\n", shm.LayoutMin, shm.LayoutMax, shm.LayoutHash())
	return err
}
