package dispatch

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// helloTime is how long a process that connected may take to say hello, and then to read
// the answer.
const helloTime = 5 * time.Second

// lateHello is how long a process may take that is refused anyway: if its hello were not
// read, the refusal would be lost with it.
const lateHello = 500 * time.Millisecond

// acceptPause is how long no connection is accepted after a failure to: until a
// descriptor is free, or memory.
const acceptPause = 100 * time.Millisecond

// ServeWorkers attaches the workers that connect to the listener, until it is
// closed; it then returns nil.
func (d *Dispatcher) ServeWorkers(listener *net.UnixListener) error {
	for {
		conn, err := listener.AcceptUnix()
		switch {
		case err == nil:
			d.receive(conn)
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			d.admission.refused.warn("cannot accept workers", "error", err)
			time.Sleep(acceptPause)
		}
	}
}

// receive attaches the process that connected, or refuses it, in a goroutine of its own. A
// process that may not attach, or is one too many, is refused; if there are too many of
// those, without a word.
func (d *Dispatcher) receive(conn *net.UnixConn) {
	p, err := processOf(conn)
	if err == nil {
		err = d.config.Load().mayConnect(p)
	}
	if err == nil {
		err = d.admission.hellos.enter(p)
	}
	if err == nil {
		go d.attach(conn, p)
		return
	}
	if d.admission.strangers.enter(p) == nil {
		go d.turnAway(conn, p, err)
		return
	}
	d.noteRefused(err)
	_ = conn.Close()
}

// turnAway refuses a peer once it has said hello.
func (d *Dispatcher) turnAway(conn *net.UnixConn, p process, why error) {
	defer d.admission.strangers.leave(p)
	_ = conn.SetDeadline(time.Now().Add(lateHello))
	if _, err := readPacket(conn); errors.Is(err, io.EOF) {
		_ = conn.Close()
		return
	}
	d.refuse(conn, why)
}

// attach makes a link of a connection, or refuses it and says why.
func (d *Dispatcher) attach(conn *net.UnixConn, p process) {
	_ = conn.SetReadDeadline(time.Now().Add(helloTime))
	hello, err := readHello(conn)
	d.admission.hellos.leave(p)
	var l *link
	if err == nil {
		l, err = d.welcome(conn, p, hello)
	}
	if errors.Is(err, io.EOF) { // it only looked whether we are there
		_ = conn.Close()
		return
	}
	if err != nil {
		d.refuse(conn, err)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	go l.watcher.run()
	if onAttach := d.config.Load().OnAttach; onAttach != nil && l.leader != 0 {
		onAttach(AttachedWorker{Pool: l.pool.name, Link: l.name, Worker: l.worker, PID: l.pid,
			Leader: l.leader, Stacks: l.stacks})
	}
	l.pool.add(l)
	d.counters.Attached.Add(1)
	l.logger().Info("link attached", "lanes", l.concurrency)
	l.control()
	d.forget(l)
	d.forgetProcess(l.process)
	l.users.Wait()
	d.alive.Done()
}

// refuse tells the peer why it cannot attach.
func (d *Dispatcher) refuse(conn *net.UnixConn, err error) {
	d.noteRefused(err)
	refusal := &attach.Refusal{Code: attach.CodeMalformed, Message: err.Error()}
	_ = errors.As(err, &refusal)
	if packet, err := attach.Encode(refusal); err == nil {
		_ = conn.SetWriteDeadline(time.Now().Add(helloTime))
		_, _ = conn.Write(packet)
	}
	_ = conn.Close()
}

func (d *Dispatcher) noteRefused(err error) {
	d.counters.Refused.Add(1)
	d.admission.refused.warn("attach refused", "error", err)
}

func refusal(code, format string, args ...any) error {
	return &attach.Refusal{
		Code: code, Message: fmt.Sprintf(format, args...), LayoutMin: shm.LayoutMin, LayoutMax: shm.LayoutMax,
	}
}

// welcome checks the request of a hello, waits for its turn, makes the link, and sends the
// welcome with the descriptors.
func (d *Dispatcher) welcome(conn *net.UnixConn, peer process, hello *attach.Hello) (*link, error) {
	layout, err := attach.Negotiate(attach.LayoutRange{Min: shm.LayoutMin, Max: shm.LayoutMax}, hello.Layouts())
	if err != nil {
		return nil, err
	}
	p := d.Pool(hello.Pool)
	if p == nil {
		return nil, refusal(attach.CodePool, "no route leads to pool %q", hello.Pool)
	}
	if err := d.config.Load().mayServe(peer, hello.Pool); err != nil {
		return nil, err
	}
	holder, err := d.holderOf(conn, &peer, hello.Pool)
	if err != nil {
		return nil, err
	}
	if err := d.admission.wait(peer); err != nil {
		return nil, err
	}
	defer d.admission.done()
	if !d.expectLink() {
		return nil, errDrainingLink
	}
	l, err := d.open(conn, p, hello, layout, peer, holder)
	if err != nil {
		d.alive.Done()
	}
	return l, err
}

// errDrainingLink is the refusal of a worker that comes too late.
var errDrainingLink = refusal(attach.CodeDraining, "the server is shutting down")

// open makes the link and sends the welcome. Preconditions: expectLink.
func (d *Dispatcher) open(
	conn *net.UnixConn, p *Pool, hello *attach.Hello, layout uint16, peer process, h holder,
) (*link, error) {
	l, file, err := d.newLink(conn, p, hello, peer, h)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	l.process = d.enterProcess(l.leader)
	packet, err := attach.Encode(&attach.Welcome{
		Layout: layout, LayoutHash: shm.LayoutHash(), Instance: d.instance, ServerPID: uint32(os.Getpid()),
		Server: d.config.Load().ServerName,
		Link:   l.index, LinkGeneration: l.generation, Lanes: l.end.Lanes(),
		RequestBytes: d.requests.segment.Geometry().Len, ResponseBytes: l.segment.Geometry().Len,
		ResponseTimeoutMS: uint64(d.responseTimeout(p).Milliseconds()),
	})
	if err == nil {
		err = l.sendWelcome(packet, d.requests.segment.File(), file)
	}
	if err == nil {
		l.users.Add(1) // the watcher, before anybody can wait for it
		err = d.remember(l)
	}
	if err != nil {
		l.process.leave(false, 0)
		d.forgetProcess(l.process)
		l.abandon()
		return nil, err
	}
	return l, nil
}

// readPacket reads the first message. It may be nonsense.
func readPacket(conn *net.UnixConn) ([]byte, error) {
	packet := make([]byte, attach.MaxMessage+1)
	n, err := conn.Read(packet)
	if err != nil {
		return nil, fmt.Errorf("no hello: %w", err)
	}
	return packet[:n], nil
}

func readHello(conn *net.UnixConn) (*attach.Hello, error) {
	packet, err := readPacket(conn)
	if err != nil {
		return nil, err
	}
	message, err := attach.Decode(packet)
	if err != nil {
		return nil, err
	}
	hello, ok := message.(*attach.Hello)
	if !ok {
		return nil, refusal(attach.CodeMalformed, "the first message is %q, want hello", message.Type())
	}
	return hello, hello.Validate()
}

// newLink makes the memory and the bells of a link. The file is to be sent to
// the worker and closed.
func (d *Dispatcher) newLink(
	conn *net.UnixConn, p *Pool, hello *attach.Hello, peer process, h holder,
) (_ *link, _ *os.File, err error) {
	most := d.config.Load().mostLanes()
	ls, concurrency, err := d.responses.acquire(h, min(int(hello.Lanes), most), most)
	if err != nil {
		return nil, nil, refusal(attach.CodeFull, "%v", err)
	}
	l := &link{
		pool: p, cache: d.requests, responses: d.responses, log: d.log, name: hello.Name, holder: h,
		pid: peer.pid, leader: peer.leader, stacks: int(hello.Stacks), since: time.Now(),
		index: ls.mailbox, generation: ls.generation, segment: ls.segment, conn: conn, concurrency: concurrency,
	}
	if l.name == "" {
		l.name = fmt.Sprintf("pid-%d", peer.pid)
	}
	l.worker = d.workerName(l)
	if l.bell, err = shm.NewEventfd(); err == nil && hello.Bell == attach.BellEventfd {
		l.workerBell, err = shm.NewPeerEventfd()
	}
	if err != nil {
		l.closeBells()
		d.responses.giveUp(ls)
		return nil, nil, err
	}
	l.end = shm.NewServerEnd(d.requests.segment, l.index, l.generation, l.segment, l.workerBell)
	l.watcher.link = l
	l.openLanes()
	return l, ls.file, nil
}

// workerName returns the name of the worker that has a link. Its requests read it from there.
func (d *Dispatcher) workerName(l *link) string {
	if named := d.config.Load().WorkerName; named != nil && l.leader != 0 {
		return cmp.Or(named(l.leader), l.name)
	}
	return l.name
}

// sendWelcome sends the welcome and, with it, the descriptors: the request segment, the
// response segment, the server's bell, and the worker's bell if it has one.
func (l *link) sendWelcome(packet []byte, request, response *os.File) error {
	fds := []int{int(request.Fd()), int(response.Fd()), l.bell.FD()}
	if l.workerBell != nil {
		fds = append(fds, l.workerBell.FD())
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(helloTime))
	_, _, err := l.conn.WriteMsgUnix(packet, unix.UnixRights(fds...), nil)
	return err
}

// control reads the rare messages of an attached worker until its connection
// ends. The end of the connection is how the death of a process is noticed.
func (l *link) control() {
	packet, drained := make([]byte, attach.MaxMessage+1), false
	for {
		n, err := l.conn.Read(packet)
		if err != nil || n == 0 {
			l.close(peerGone, reasonOfLoss(err))
			return
		}
		switch message, err := attach.Decode(packet[:n]); message.(type) {
		case *attach.Drain:
			if drained { // each costs us more than the worker
				l.close(evicted, errors.New("a second drain on the control socket"))
				return
			}
			drained = true
			l.setDraining()
		case *attach.Bye:
			l.close(peerLeft, nil)
			return
		default:
			l.close(evicted, fmt.Errorf("unexpected message on the control socket: %w", err))
			return
		}
	}
}

func reasonOfLoss(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) { // the last: with messages unread
		return errors.New("connection closed by the worker")
	}
	return err
}

// expectLink counts a link in, which may use the request segment from then on,
// unless the server is draining. Release: alive.Done.
func (d *Dispatcher) expectLink() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		d.alive.Add(1)
	}
	return !d.draining
}

// remember adds l, which has its welcome, to the links that Close ends. A worker that was
// welcomed just when the server began to drain is told so as all others were.
func (d *Dispatcher) remember(l *link) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return errDrainingLink
	}
	d.links[l] = struct{}{}
	if d.draining {
		go l.send(d.drainMessage())
	}
	return nil
}

func (d *Dispatcher) forget(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.links, l)
}
