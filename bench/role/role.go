// Package role is the processes that the benchmarks start: this program again, in one of
// the roles below, our server, and what else they bring.
package role

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/wavey-ai/upload-response/bench/load"
)

// Command is the first argument of a process in a role; the second names the role.
const Command = "role"

// The roles of this package, by name.
const (
	Client    = "client"  // makes the load
	InProcess = "handler" // serves the handler without a worker
	RawTCP    = "raw"     // serves bare TCP
	GoWorker  = "worker"  // serves the handler as a worker
)

// Roles are what a process of this package can be.
var Roles = map[string]func(args []string) error{
	Client:    func([]string) error { return load.Serve(os.Stdin, os.Stdout) },
	InProcess: handlerRole,
	RawTCP:    func([]string) error { return rawRole() },
	GoWorker:  workerRole,
}

// StartRole starts this program in a role. Release: Stop.
func StartRole(role string, args ...string) (*Process, error) {
	return StartRoleOn(AnyCore, nil, role, args...)
}

// StartRoleOn is StartRole on a core, and passes files on, as descriptors 3 and up.
func StartRoleOn(core int, files []*os.File, role string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startOn(core, role, append([]string{self, Command, role}, args...), files)
}

// Announce prints a line of JSON.
func Announce(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// AwaitEnd returns when standard input ends: the benchmark is done with this process.
func AwaitEnd() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// ParseArgument reads the only argument of a role, which is JSON.
func ParseArgument(args []string, v any) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, got %q", args)
	}
	return json.Unmarshal([]byte(args[0]), v)
}
