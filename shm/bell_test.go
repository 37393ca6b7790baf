package shm

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rings returns how often the bell was rung since it was last asked, without
// waiting.
func rings(tb testing.TB, bell *Eventfd) uint64 {
	tb.Helper()
	var count [8]byte
	switch _, err := unix.Read(bell.FD(), count[:]); err {
	case nil:
		return binary.LittleEndian.Uint64(count[:])
	case unix.EAGAIN:
		return 0
	default:
		tb.Fatal(err)
		return 0
	}
}

// nothing is the announcement of a sleeper that finds no news.
func nothing() bool { return true }

func TestARingAfterTheAnnouncementIsHeard(t *testing.T) {
	bell := testBell(t)
	if err := bell.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 100 { // also when the bell has rung before and nobody has read it
		err := bell.Wait(func() bool {
			bell.Ring()
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASleeperThatFindsNewsDoesNotWait(t *testing.T) {
	bell := testBell(t)
	if err := bell.Wait(func() bool { return false }); err != nil {
		t.Error(err)
	}
}

func TestARingOfAnotherThreadWakesWhoeverWaits(t *testing.T) {
	bell := testBell(t)
	if err := bell.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	announced := make(chan struct{})
	go func() {
		for range announced {
			bell.Ring()
		}
	}()
	defer close(announced)
	for range 200 {
		err := bell.Wait(func() bool {
			announced <- struct{}{}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWaitEndsAtItsDeadline(t *testing.T) {
	bell := testBell(t)
	if err := bell.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := bell.Wait(nothing); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Wait: %v, want the deadline", err)
		}
	}
}

func TestABellThatIsFullDoesNotBlockItsRinger(t *testing.T) {
	bell := testBell(t)
	const full = 1<<64 - 2
	if _, err := unix.Write(bell.FD(), binary.LittleEndian.AppendUint64(nil, full)); err != nil {
		t.Fatal(err)
	}
	bell.Ring()
}

func TestClosingABellWakesItsWaiter(t *testing.T) {
	bell, err := NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	asleep, result := make(chan struct{}), make(chan error)
	go func() {
		result <- bell.Wait(func() bool {
			close(asleep)
			return true
		})
	}()
	<-asleep
	if err := bell.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait: %v, want os.ErrClosed", err)
	}
}

func TestAnEventfdOfAnotherProcessWorksAlthoughItBlocks(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	bell, err := OpenEventfd(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	if err := bell.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := bell.Wait(nothing); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Wait: %v, want the deadline", err)
	}
}

func TestAFutexDoesNotSleepOverARing(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	count := l.worker.Bell()
	l.worker.Sleep(AsleepNotice, LinkOpen)
	l.server.Notify(0)
	if err := l.worker.WaitBell(count, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestAFutexSleepsNoLongerThanItMay(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	for err := error(nil); !errors.Is(err, os.ErrDeadlineExceeded); {
		if err = l.worker.WaitBell(l.worker.Bell(), time.Millisecond); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func TestAFutexIsWokenByARing(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	const rounds = 200
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for seen := uint32(0); seen < rounds; seen = l.worker.Bell() {
			if err := l.worker.WaitBell(seen, time.Minute); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range rounds {
		l.server.ring()
	}
	<-heard
}
