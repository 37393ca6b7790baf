module github.com/wavey-ai/upload-response

go 1.25.0

require (
	github.com/caddyserver/certmagic v0.25.1
	github.com/edsrzf/mmap-go v1.2.0
	github.com/gobwas/ws v1.4.0
	github.com/klauspost/compress v1.20.4
	github.com/mholt/acmez/v3 v3.1.4
	github.com/pires/go-proxyproto v0.13.0
	github.com/quic-go/qpack v0.6.0
	github.com/quic-go/quic-go v0.61.0
	github.com/vmihailenco/msgpack/v5 v5.4.1
	go.uber.org/zap v1.27.1
	golang.org/x/net v0.56.0
	golang.org/x/sys v0.47.0
	golang.org/x/time v0.15.0
)

require (
	github.com/caddyserver/zerossl v0.1.4 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/klauspost/cpuid/v2 v2.3.0 // indirect
	github.com/libdns/libdns v1.1.1 // indirect
	github.com/miekg/dns v1.1.69 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	github.com/zeebo/blake3 v0.2.4 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap/exp v0.3.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/mod v0.37.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	golang.org/x/tools v0.47.0 // indirect
)
