package worker

import "context"

// requestContext is the context of one request: done when the request is
// cancelled or its handler has returned.
type requestContext struct {
	context.Context
	request *Request
}

// Done is closed when the request is cancelled or its handler has returned.
func (c *requestContext) Done() <-chan struct{} { return c.request.done }

// Err returns context.Canceled after that.
func (c *requestContext) Err() error {
	select {
	case <-c.request.done:
		return context.Canceled
	default:
		return nil
	}
}
