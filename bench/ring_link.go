package bench

import (
	"encoding/json"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/shm"
)

// ringLink is the producer's end of a link to one reader.
type ringLink struct {
	end   *shm.ServerEnd
	bell  *shm.Eventfd
	news  []chan struct{} // of each lane: look again
	mu    sync.Mutex      // guards end.Inbox
	child *process
}

// ringGeneration is that of every mailbox: it is used once.
const ringGeneration = 1

// ringNote tells a reader where it belongs.
type ringNote struct {
	Link  uint32    `json:"link"`
	Shape ringShape `json:"shape"`
}

// openRingLink starts a reader on link i. Release: close.
func openRingLink(segment *shm.RequestSegment, i uint32, shape ringShape) (*ringLink, error) {
	g, err := shape.responses()
	if err != nil {
		return nil, err
	}
	response, file, err := shm.CreateResponseSegment(g)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	l := &ringLink{}
	if l.bell, err = shm.NewEventfd(); err != nil {
		return nil, err
	}
	fds := []int{int(segment.File().Fd()), int(file.Fd()), l.bell.FD()}
	var sleeper *shm.Eventfd
	if shape.Eventfd {
		if sleeper, err = shm.NewPeerEventfd(); err != nil {
			return nil, err
		}
		fds = append(fds, sleeper.FD())
	}
	l.end = shm.NewServerEnd(segment, i, ringGeneration, response, sleeper)
	for range l.end.Lanes() {
		l.news = append(l.news, make(chan struct{}, 1))
	}
	l.end.SetState(shm.LinkOpen)
	go l.watch()
	return l, l.startReader(ringNote{i, shape}, fds)
}

func (l *ringLink) startReader(note ringNote, fds []int) error {
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	files, err := duplicates(fds)
	if err != nil {
		return err
	}
	defer closeAll(files)
	if l.child, err = startOn(note.Shape.Core, "consumer", []string{self, "bench", RoleCommand, "consumer", string(text)}, files); err != nil {
		return err
	}
	var ready ringResult
	return l.child.receive(&ready)
}

// watch hears the reader's notices, as the server's ResponseWatcher does.
func (l *ringLink) watch() {
	for {
		all, err := l.end.News(l.poke)
		if all {
			for i := range l.news {
				l.poke(uint32(i))
			}
		}
		if err == nil {
			err = l.bell.Wait(l.end.Sleep)
			l.end.Awake()
		}
		if err != nil {
			return
		}
	}
}

// poke makes who waits for a lane look again.
func (l *ringLink) poke(lane uint32) {
	if lane >= uint32(len(l.news)) {
		return
	}
	select {
	case l.news[lane] <- struct{}{}:
	default:
	}
}

func (l *ringLink) close() {
	if l.child != nil {
		l.child.stop()
	}
	_ = l.bell.Close()
}

// duplicates returns files of their own for descriptors. Release: closeAll.
func duplicates(fds []int) (files []*os.File, err error) {
	for _, fd := range fds {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, os.NewFile(uintptr(own), "ring"))
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
