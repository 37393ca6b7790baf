module github.com/wavey-ai/upload-response

go 1.25.0

require (
	github.com/edsrzf/mmap-go v1.2.0
	github.com/pires/go-proxyproto v0.13.0
	github.com/quic-go/qpack v0.6.0
	github.com/quic-go/quic-go v0.61.0
	github.com/vmihailenco/msgpack/v5 v5.4.1
	golang.org/x/net v0.56.0
	golang.org/x/sys v0.47.0
	golang.org/x/time v0.15.0
)

require (
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/text v0.40.0 // indirect
)
