//go:build h2spec

package h2spec_test

// exception is a case that fails, and not by a fault that we can mend.
type exception struct {
	id   string
	why  string
	link string // to who knows of it
	door string // through which it fails; empty: through each
	racy bool   // it passes, mostly
}

func (e *exception) covers(door string) bool { return e.door == "" || e.door == door }

var exceptions = []exception{
	{
		id: "http2/3.5/2", door: "clear", link: "https://github.com/summerwind/h2spec/issues/112",
		why: "The port speaks HTTP/1.1, too, and answers what is no preface of HTTP/2 in that.",
	},
	{
		id: "http2/6.5.3/1", link: "https://github.com/golang/go/issues/56760",
		why: "Net/http takes two values of one setting in a frame for a protocol error.",
	},
	{
		id: "http2/8.1.2.2/1", link: "https://github.com/golang/go/issues/26321",
		why: "Net/http answers 400, and does not reset the stream. No worker sees the request.",
	},
	{
		id: "http2/8.1.2.2/2", link: "https://github.com/golang/go/issues/26321",
		why: "The same.",
	},
	{
		id: "http2/5.1/5", racy: true, link: "https://github.com/summerwind/h2spec/issues/89",
		why: "The response may be there before the frame that is too late for the request.",
	},
	{
		id: "http2/5.1/6", racy: true, link: "https://github.com/golang/go/issues/26322",
		why: "The same.",
	},
	{
		id: "http2/6.1/2", racy: true, link: "https://github.com/golang/go/issues/26323",
		why: "The same.",
	},
}
