package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// RoleCommand is the first argument after Options.Self of a process in a role; the
// second names the role.
const RoleCommand = "role"

// roles are what a process of ours can be, besides the server.
var roles = map[string]func(args []string) error{
	"client":      func([]string) error { return serveOrders() },
	"handler":     handlerRole,
	"raw":         func([]string) error { return rawRole() },
	"worker":      workerRole,
	"producer":    producerRole,
	"consumer":    consumerRole,
	"bounce":      bounceRole,
	"bounce-back": bounceBackRole,
}

// Role runs the role that args name, until our standard input ends.
func Role(args []string) error {
	if len(args) == 0 || roles[args[0]] == nil {
		return fmt.Errorf("no such role: %q", args)
	}
	return roles[args[0]](args[1:])
}

// startRole starts a process in a role. Release: stop.
func (o *Options) startRole(role string, args ...string) (*process, error) {
	return o.startRoleOn(anyCore, role, args...)
}

// startRoleOn is startRole on a core.
func (o *Options) startRoleOn(core int, role string, args ...string) (*process, error) {
	argv := append(append([]string(nil), o.Self...), "bench", RoleCommand, role)
	return startOn(core, role, append(argv, args...), nil)
}

// announce prints a line of JSON.
func announce(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// awaitEnd returns when our standard input ends.
func awaitEnd() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
