// Package dispatch decides which worker serves which exchange, and where its bytes lie. It
// knows rows, lanes, links, pools and clients, and nothing of HTTP.
//
// An exchange is four calls:
//
//	Acquire        a stream with a row; the caller publishes the headers slot
//	Stream.Assign  a lane of a worker; again after Stream.Retry
//	               request slots up (RequestLane), response slots down (Next, Await, ReleaseSlot)
//	Stream.Finish  row and lane go back when the worker has let go of them
//
// Each link has a [ResponseWatcher], the goroutine that sleeps on the link's bell and wakes
// the exchanges for which there is news. One goroutine, the deadline loop, looks after the
// deadlines of all streams, so that an exchange needs no timer of its own.
package dispatch
