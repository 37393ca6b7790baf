package ring

import (
	"encoding/json"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/shm"
)

// link is the producer's end of a link to one reader.
type link struct {
	end   *shm.ServerEnd
	bell  *shm.Eventfd
	news  []chan struct{} // of each lane: there may be something new
	mu    sync.Mutex      // guards end.Inbox
	child *role.Process
}

// generation is the generation of every mailbox, since each is used only once.
const generation = 1

// readerConfig tells a reader which link it has.
type readerConfig struct {
	Link   uint32 `json:"link"`
	Config config `json:"config"`
}

// openLink starts a reader on link i. Release: close.
func openLink(segment *shm.RequestSegment, i uint32, c config) (*link, error) {
	g, err := c.responses()
	if err != nil {
		return nil, err
	}
	response, file, err := shm.CreateResponseSegment(g)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	l := &link{}
	if l.bell, err = shm.NewEventfd(); err != nil {
		return nil, err
	}
	fds := []int{int(segment.File().Fd()), int(file.Fd()), l.bell.FD()}
	var sleeper *shm.Eventfd
	if c.Eventfd {
		if sleeper, err = shm.NewPeerEventfd(); err != nil {
			return nil, err
		}
		fds = append(fds, sleeper.FD())
	}
	l.end = shm.NewServerEnd(segment, i, generation, response, sleeper)
	for range l.end.Lanes() {
		l.news = append(l.news, make(chan struct{}, 1))
	}
	l.end.SetState(shm.LinkOpen)
	go l.watch()
	return l, l.startReader(readerConfig{i, c}, fds)
}

func (l *link) startReader(c readerConfig, fds []int) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	files, err := duplicates(fds)
	if err != nil {
		return err
	}
	defer role.CloseAll(files)
	if l.child, err = role.StartRoleOn(c.Config.Core, files, readerRole, string(text)); err != nil {
		return err
	}
	var ready outcome
	return l.child.Receive(&ready)
}

// watch takes the notices of the reader, as ResponseWatcher of the server does.
func (l *link) watch() {
	for {
		all, err := l.end.News(l.notify)
		if all {
			for i := range l.news {
				l.notify(uint32(i))
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

// notify wakes the goroutine that waits for a lane.
func (l *link) notify(lane uint32) {
	if lane >= uint32(len(l.news)) {
		return
	}
	select {
	case l.news[lane] <- struct{}{}:
	default:
	}
}

func (l *link) close() {
	if l.child != nil {
		l.child.Stop()
	}
	_ = l.bell.Close()
}

// duplicates returns a new file for each descriptor. Release: role.CloseAll.
func duplicates(fds []int) (files []*os.File, err error) {
	for _, fd := range fds {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			role.CloseAll(files)
			return nil, err
		}
		files = append(files, os.NewFile(uintptr(own), "ring"))
	}
	return files, nil
}
