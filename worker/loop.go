package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// run is the link's own goroutine. It ends when the link is closed and no request is in
// progress, and then unmaps the memory.
func (l *Link) run() {
	go l.readControl()
	l.close(l.loop())
	l.abortIncoming()
	<-l.whenIdle()
	if l.handlers != nil {
		l.handlers.close()
	}
	l.unmap()
}

// loop takes streams from the inbox, wakes the requests for which there is news, and
// sleeps on the bell. It returns the reason for which the link is to be closed.
func (l *Link) loop() error {
	var state shm.LinkState
	sleep := func() bool { return l.sleep(state) }
	for {
		state = l.end.State()
		if err := l.takeAll(); err != nil {
			return err
		}
		if err := l.wakeAll(); err != nil {
			return err
		}
		if state == shm.LinkClosed {
			return l.awaitReason()
		}
		l.mu.Lock()
		l.checkDrained()
		l.mu.Unlock()
		err := l.bell.Wait(sleep)
		l.end.Awake()
		if err != nil {
			return fmt.Errorf("bell: %w", err)
		}
	}
}

// takeAll takes new streams until there are none, or the link serves as many requests as
// it can, and hands them to the handlers or to Next.
func (l *Link) takeAll() error {
	for {
		l.mu.Lock()
		r, err := l.take()
		if r != nil && l.handlers == nil {
			l.incoming <- r // has room for all lanes
		}
		l.mu.Unlock()
		if r == nil {
			return err
		}
		if l.handlers != nil {
			l.handlers.dispatch(r)
		}
	}
}

// wakeAll wakes the requests on the lanes for which there are notices.
func (l *Link) wakeAll() error {
	all, err := l.end.News(l.wake)
	if all {
		for i := range l.lanes {
			l.wake(uint32(i))
		}
	}
	return err
}

// wake makes the request on a lane look again.
func (l *Link) wake(i uint32) {
	if i >= uint32(len(l.lanes)) {
		return
	}
	at := &l.lanes[i]
	l.mu.Lock()
	defer l.mu.Unlock()
	signal(at.more)
	signal(at.room)
	if at.request != nil {
		at.request.checkCancelled()
	}
}

// sleep announces that the link is about to sleep, and reports whether it may. While all
// are busy, streams may wait in the inbox: the next request to end takes one.
func (l *Link) sleep(state shm.LinkState) bool {
	return l.end.Sleep(shm.AsleepStream|shm.AsleepNotice, state, l.busy) // S1
}

// busy reports whether as many requests are in progress as the link serves at once.
func (l *Link) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active >= l.concurrency
}

// abortIncoming ends the requests that Next has not returned.
func (l *Link) abortIncoming() {
	for {
		select {
		case r := <-l.incoming:
			r.Abort()
		default:
			return
		}
	}
}

// reasonTime is how long the message with the reason may take to arrive after the memory
// says that the link is closed.
const reasonTime = time.Second

// awaitReason gives readControl time to close the link with the reason that the server
// gives.
func (l *Link) awaitReason() error {
	select {
	case <-l.closed:
	case <-time.After(reasonTime):
	}
	return errors.New("the server has closed the link")
}

// readControl reads the server's messages. The end of the connection tells of the death of
// the server.
func (l *Link) readControl() {
	packet := make([]byte, attach.MaxMessage+1)
	for {
		n, err := l.conn.Read(packet)
		if err != nil || n == 0 {
			l.close(errors.New("the server is gone"))
			return
		}
		message, err := attach.Decode(packet[:n])
		switch m := message.(type) {
		case *attach.Drain: // the server finishes the requests in progress, and so do we
		case *attach.Bye:
			l.close(fmt.Errorf("the server said goodbye: %s", m.Reason))
			return
		case *attach.Refusal:
			l.close(m)
			return
		default:
			l.close(fmt.Errorf("unexpected message from the server: %w", err))
			return
		}
	}
}

// signal puts a token into a channel of capacity one, unless it holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
