package ring

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/role"
)

// ping makes round trips to another process over two words of shared memory and, unless it
// spins, futexes: the cost of a wake-up on this machine.
func ping(args []string) error {
	var c config
	if err := role.ParseArgument(args, &c); err != nil {
		return err
	}
	file, words, err := newWords()
	if err != nil {
		return err
	}
	defer file.Close()
	child, err := role.StartRoleOn(c.Core, []*os.File{file}, pongRole, fmt.Sprint(c.Spin))
	if err != nil {
		return err
	}
	defer child.Stop()
	there, back := words.pair()
	return serveTasks(func(t task) (o outcome, err error) {
		base := there.load()
		trips, err := load.RoundTrips(t.Period, func(stamp uint64) error {
			n := base + uint32(stamp) + 1
			there.put(n, c.Spin)
			back.await(n, c.Spin)
			return nil
		})
		if err == nil {
			o.Trips = *trips
		}
		return o, err
	})
}

// newWords makes a page that another process can map.
func newWords() (*os.File, sharedWords, error) {
	fd, err := unix.MemfdCreate("upload-response ping-pong", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fd), "ping-pong")
	if err := file.Truncate(int64(os.Getpagesize())); err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	words, err := mapWords(file)
	if err != nil {
		_ = file.Close()
	}
	return file, words, err
}

// pong is the other process: it answers until its standard input ends.
func pong(args []string) error {
	var spin bool
	if err := role.ParseArgument(args, &spin); err != nil {
		return err
	}
	words, err := mapWords(os.NewFile(3, "ping-pong"))
	if err != nil {
		return err
	}
	go func() {
		_ = role.AwaitEnd()
		os.Exit(0)
	}()
	there, back := words.pair()
	for n := uint32(1); ; n++ {
		there.await(n, spin)
		back.put(n, spin)
	}
}
