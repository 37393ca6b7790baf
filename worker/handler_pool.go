package worker

// hands are the goroutines that serve requests. They stay, since a new goroutine
// for every request would have to grow its stack each time.
type hands struct {
	serve func(*Request) (next *Request)
	idle  chan *Request // received from by those that have nothing to do
	done  chan struct{} // closed when no more requests come
}

// newHands returns hands that serve a request with serve, then what it returns,
// until that is nil. Release: dismiss.
func newHands(serve func(*Request) *Request) *hands {
	return &hands{serve: serve, idle: make(chan *Request), done: make(chan struct{})}
}

// give has a request served.
func (h *hands) give(r *Request) {
	select {
	case h.idle <- r:
	default:
		go h.work(r)
	}
}

func (h *hands) work(r *Request) {
	for {
		for r != nil {
			r = h.serve(r)
		}
		select {
		case r = <-h.idle:
		case <-h.done:
			return
		}
	}
}

// dismiss ends the hands. Preconditions: no request is in progress, and none
// comes.
func (h *hands) dismiss() { close(h.done) }
