package bench

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/bench/load"
)

// bounceRole makes round trips to another process with nothing but two words of shared
// memory, and futexes unless it spins: what a wake-up costs on this machine.
func bounceRole(args []string) error {
	var shape ringShape
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &shape) != nil {
		return fmt.Errorf("not a shape: %q", args)
	}
	spin := shape.Spin
	fd, err := unix.MemfdCreate("upload-response bounce", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "bounce")
	defer file.Close()
	if err := file.Truncate(int64(os.Getpagesize())); err != nil {
		return err
	}
	words, err := mapWords(file)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child, err := startOn(shape.Core, "bounce-back", []string{self, "bench", RoleCommand, "bounce-back", fmt.Sprint(spin)}, []*os.File{file})
	if err != nil {
		return err
	}
	defer child.stop()
	there, back := words.pair()
	return answerOrders(func(order ringOrder) (result ringResult, err error) {
		base := there.load()
		trips, err := load.Trips(order.Period, func(stamp uint64) error {
			n := base + uint32(stamp) + 1
			there.put(n, spin)
			back.await(n, spin)
			return nil
		})
		if err == nil {
			result.Trips = *trips
		}
		return result, err
	})
}

// bounceBackRole is the other process: it answers until it is killed.
func bounceBackRole(args []string) error {
	var spin bool
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &spin) != nil {
		return fmt.Errorf("spin or not? %q", args)
	}
	words, err := mapWords(os.NewFile(3, "bounce"))
	if err != nil {
		return err
	}
	go func() {
		_ = awaitEnd()
		os.Exit(0)
	}()
	there, back := words.pair()
	for n := uint32(1); ; n++ {
		there.await(n, spin)
		back.put(n, spin)
	}
}
