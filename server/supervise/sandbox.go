package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Sandbox is what the processes of an app may reach, besides what they need to run at all (see
// readable and devices). Landlock enforces it, for the processes and their descendants: it
// takes rights away, and gives none. A sandbox also keeps programs from gaining rights by
// being set-uid, the processes from signalling others, and from connecting to abstract Unix
// sockets; those with a path are not restricted.
type Sandbox struct {
	// Read and Write are files, and folders with all that is in them, which must exist. Read
	// includes running programs; Write includes reading, making, moving and removing.
	Read, Write []string
	// Connect and Bind are the TCP ports that may be connected to, and listened on; nil: any.
	Connect, Bind []uint16
	// Required has a process not start where the kernel cannot enforce all of that.
	Required bool
}

// The versions of Landlock's interface that brought something that we use.
const (
	abiMove     = 2 // moving between folders can be allowed
	abiTruncate = 3
	abiTCP      = 4
	abiDevices  = 5
	abiScope    = 6
)

// landlockABI returns the version of Landlock's interface; 0: there is none.
func landlockABI() int {
	version, err := kernel.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}

// NotInForce returns an error that says what of the sandbox the kernel does not enforce, or
// nil.
func (b *Sandbox) NotInForce() error { return b.notInForce(landlockABI()) }

func (b *Sandbox) notInForce(abi int) error {
	if abi == 0 {
		return errors.New("the kernel has no Landlock, or it is switched off (lsm= of its command line, or a seccomp " +
			"profile): nothing is restricted")
	}
	var missing []string
	for _, part := range []struct {
		since int
		text  string
	}{
		{abiTruncate, "truncating files (Linux 6.2)"}, {abiTCP, "TCP ports (Linux 6.7)"},
		{abiDevices, "ioctl of devices (Linux 6.10)"}, {abiScope, "signals and abstract sockets (Linux 6.12)"},
	} {
		if abi < part.since && (part.since != abiTCP || b.Connect != nil || b.Bind != nil) {
			missing = append(missing, part.text)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("the kernel has Landlock %d, which does not restrict %s", abi, strings.Join(missing, ", "))
}

// Check returns an error if processes with the sandbox cannot start here.
func (b *Sandbox) Check() error {
	if b == nil || !b.Required {
		return nil
	}
	if err := b.NotInForce(); err != nil {
		return fmt.Errorf("the sandbox is required: %w", err)
	}
	return nil
}

// knowPidfd has package os find out whether it can use pidfds. It signals our own process for
// that, which a thread in a sandbox may not do on every kernel.
var knowPidfd = sync.OnceFunc(func() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Release()
	}
})

// start starts a command in the sandbox; nil: in none. Landlock restricts threads, and what
// they start: the command is started by a thread that has entered the sandbox, and does
// nothing else but wait until the process has ended, since the kernel ends the process
// together with the thread (Pdeathsig).
func (b *Sandbox) start(command *exec.Cmd, ended <-chan struct{}) error {
	if b == nil {
		return command.Start()
	}
	if err := b.Check(); err != nil {
		return err
	}
	rules, err := b.ruleset(command, landlockABI())
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer rules.close()
	knowPidfd()
	result := make(chan error)
	go onOwnThread(func() {
		err := rules.enter()
		if err == nil {
			err = command.Start()
		}
		if errors.Is(err, unix.EACCES) {
			err = fmt.Errorf("%w (the sandbox has to let it read the program and its interpreter)", err)
		}
		result <- err
		if err == nil {
			<-ended
		}
	})
	return <-result
}

// onOwnThread runs a function on a thread that ends with it: nothing else ever runs there. It
// is not the main thread, which would not end, and by whose rights the kernel knows the process.
func onOwnThread(f func()) {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	elsewhere := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		close(elsewhere)
		f()
	}()
	<-elsewhere
	runtime.UnlockOSThread()
}

// ruleset is a sandbox as the kernel has it.
type ruleset struct {
	fd    int // negative: the kernel has no Landlock
	flags uint32
}

func (r ruleset) close() {
	if r.fd >= 0 {
		_ = unix.Close(r.fd)
	}
}

// enter restricts the current thread, and the processes that it starts.
func (r ruleset) enter() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: no_new_privs: %w", err)
	}
	if r.fd < 0 {
		return nil
	}
	if err := kernel.LandlockRestrictSelf(r.fd, r.flags); err != nil {
		return fmt.Errorf("sandbox: landlock_restrict_self: %w", err)
	}
	return nil
}

// ruleset makes the rules for a command. Release: close. What a kernel later than the ones we
// know could restrict is not restricted, so that an app does not depend on it.
func (b *Sandbox) ruleset(command *exec.Cmd, abi int) (ruleset, error) {
	if abi == 0 {
		return ruleset{fd: -1}, nil
	}
	config := landlock.V7
	config.HandledAccessNet = 0
	var rules []landlock.Rule
	if b.Connect != nil {
		config.HandledAccessNet |= kernel.AccessNetConnectTCP
	}
	if b.Bind != nil {
		config.HandledAccessNet |= kernel.AccessNetBindTCP
	}
	for _, port := range b.Connect {
		rules = append(rules, landlock.ConnectTCP(port))
	}
	for _, port := range b.Bind {
		rules = append(rules, landlock.BindTCP(port))
	}
	files, err := b.fileRules(command, abi)
	if err != nil {
		return ruleset{}, err
	}
	fd, flags, err := config.BestEffort().NewRulesetFD(append(rules, files...)...)
	return ruleset{fd, flags}, err
}
