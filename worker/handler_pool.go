package worker

import (
	"sync"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/proto"
)

// handlerPool has the goroutines that serve requests. They stay, since the stack of a new
// goroutine would have to grow for every request.
type handlerPool struct {
	serve func(*Request) (next *Request)
	idle  chan *Request // idle goroutines receive from it
	done  chan struct{} // closed when no more requests come

	mu   sync.Mutex
	runs []*handlerRun // one for each goroutine
}

// handlerRun is a goroutine that serves requests.
type handlerRun struct {
	goroutine uint64                        // number in stacks
	header    atomic.Pointer[proto.Request] // of the request that it serves; nil: none
}

// newHandlerPool returns a pool that serves a request with serve, then the request that
// serve returns, until that is nil. Release: close.
func newHandlerPool(serve func(*Request) *Request) *handlerPool {
	return &handlerPool{serve: serve, idle: make(chan *Request), done: make(chan struct{})}
}

// dispatch hands a request to an idle goroutine, or to a new one if all are busy.
func (p *handlerPool) dispatch(r *Request) {
	select {
	case p.idle <- r:
	default:
		go p.run(r)
	}
}

func (p *handlerPool) run(r *Request) {
	run := p.newRun()
	for {
		for r != nil {
			r.run = run
			r = p.serve(r)
		}
		run.header.Store(nil)
		select {
		case r = <-p.idle:
		case <-p.done:
			return
		}
	}
}

func (p *handlerPool) newRun() *handlerRun {
	run := &handlerRun{goroutine: goroutineNumber()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = append(p.runs, run)
	return run
}

// serving adds the headers of the requests in progress to all, by the number of their goroutine.
func (p *handlerPool) serving(all map[uint64]*proto.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, run := range p.runs {
		if header := run.header.Load(); header != nil {
			all[run.goroutine] = header
		}
	}
}

// close ends the goroutines. Preconditions: no request is in progress, and none comes.
func (p *handlerPool) close() { close(p.done) }
