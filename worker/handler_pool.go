package worker

// handlerPool has the goroutines that serve requests. They stay, since the stack of a new
// goroutine would have to grow for every request.
type handlerPool struct {
	serve func(*Request) (next *Request)
	idle  chan *Request // idle goroutines receive from it
	done  chan struct{} // closed when no more requests come
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
	for {
		for r != nil {
			r = p.serve(r)
		}
		select {
		case r = <-p.idle:
		case <-p.done:
			return
		}
	}
}

// close ends the goroutines. Preconditions: no request is in progress, and none comes.
func (p *handlerPool) close() { close(p.done) }
