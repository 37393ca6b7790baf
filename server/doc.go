// Package server is the HTTP side of upload-response: it takes HTTP requests,
// streams them slot by slot into shared memory, hands them to worker processes,
// and streams their response slots back.
//
// [UploadResponseRouter] is an [net/http.Handler] that can be mounted in any Go
// server. [Server] is the front door around it: HTTP/1.1 and 2, clear and over TLS,
// and HTTP/3.
//
// An exchange is one pass through ServeHTTP (router.go):
//
//	route -> a stream (dispatch.Acquire) -> headers slot -> a worker's lane (Assign)
//	      -> pump: body into slots    (pump.go, its own goroutine)
//	      -> respond: slots to client (respond.go, the handler's goroutine)
//	      -> Finish: the stream goes back when its worker has let go of it
//
// What the versions of HTTP do differently an exchange asks its session (package protocol).
// Packages accept and http3 take the connections of clients.
package server
