package worker

// hands are the goroutines that serve requests, one for each lane that has been
// used. They stay, since a new goroutine for every request would have to grow
// its stack each time.
type hands struct {
	serve func(*Request)
	lanes []chan *Request // nil: not used yet
	done  chan struct{}   // closed when no more requests come
}

// newHands returns the hands of a link with so many lanes. Release: dismiss.
func newHands(lanes int, serve func(*Request)) *hands {
	return &hands{serve: serve, lanes: make([]chan *Request, lanes), done: make(chan struct{})}
}

// give has a request served. One goroutine calls it: the link's own. It does not
// wait: a lane has one request at a time, and its hand may at most still be about
// to come back from the last one.
func (h *hands) give(r *Request) {
	if h.lanes[r.index] == nil {
		h.lanes[r.index] = make(chan *Request, 1)
		go h.work(h.lanes[r.index])
	}
	h.lanes[r.index] <- r
}

func (h *hands) work(requests <-chan *Request) {
	for {
		select {
		case r := <-requests:
			h.serve(r)
		case <-h.done:
			return
		}
	}
}

// dismiss ends the hands. Preconditions: no request is in progress, and none
// comes.
func (h *hands) dismiss() { close(h.done) }
