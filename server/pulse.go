package server

// Pulse returns a number that grows as long as the server is able to serve: it counts the rounds of the loop that
// looks after the deadlines of all requests, 100 a second. It takes one after the other the locks that a request
// takes on its way to a worker, and so does not return while one of them is stuck. It is for a watchdog.
func (s *Server) Pulse() uint64 {
	_ = s.fast.Conns()
	_ = s.router.relay.Running()
	return s.router.dispatcher.Pulse()
}

// Running returns how many requests are in progress, also those that wait for a worker.
func (s *Server) Running() int { return s.router.relay.Running() }
