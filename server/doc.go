// Package server is the HTTP side of upload-response: it takes HTTP requests,
// streams them slot by slot into shared memory, hands them to worker processes,
// and streams their response slots back.
//
// [UploadResponseRouter] is an [net/http.Handler] that can be mounted in any Go
// server. [Server] is the front door around it: HTTP/1.1 and 2, clear and over TLS,
// and HTTP/3.
//
// What they do is in packages of their own: accept and http3 take the connections of clients,
// relay carries exchanges, and dispatch has the workers and the memory.
package server
