// Package server is the HTTP side of upload-response: it takes HTTP requests,
// streams them slot by slot into shared memory, hands them to worker processes,
// and streams their response slots back.
//
// [UploadResponseRouter] is an [net/http.Handler] that can be mounted in any Go
// server. [Server] is the ready-made listener around it.
//
// An exchange is one pass through ServeHTTP (router.go):
//
//	route -> a stream (RequestChunkCache) -> headers slot -> a link (Dispatcher)
//	      -> pump: body into slots    (pump.go, its own goroutine)
//	      -> respond: slots to client (respond.go, the handler's goroutine)
//	      -> finish: the stream goes back when its worker has let go of it
//
// Each link has a [ResponseWatcher], the goroutine that sleeps on the link's
// bell and wakes the exchanges that have news. A clock goroutine looks after
// every deadline, so that an exchange needs no timer of its own.
package server
