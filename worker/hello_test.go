package worker

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// helloOf returns the first hello that a function sends, which may run until the context ends.
func helloOf(t *testing.T, do func(ctx context.Context, socket string)) *attach.Hello {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "w")
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	check(t, err)
	defer listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), hangTime)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do(ctx, socket)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	conn, err := listener.AcceptUnix()
	check(t, err)
	defer conn.Close()
	packet := make([]byte, attach.MaxMessage)
	n, err := conn.Read(packet)
	check(t, err)
	message, err := attach.Decode(packet[:n])
	check(t, err)
	return message.(*attach.Hello)
}

func serveOnce(list ...Option) func(context.Context, string) {
	return func(ctx context.Context, socket string) { _ = Serve(ctx, socket, nil, list...) }
}

func attachOnce(ctx context.Context, socket string) {
	if link, err := Attach(ctx, socket); err == nil {
		_ = link.Close()
	}
}

func TestThePoolInTheEnvironmentIsServedUnlessAnOptionNamesOne(t *testing.T) {
	for variable, want := range map[string]string{"": "default", "web": "web"} {
		t.Setenv(PoolVariable, variable)
		if got := helloOf(t, serveOnce()).Pool; got != want {
			t.Errorf("Serve with %q: pool %q", variable, got)
		}
		if got := helloOf(t, attachOnce).Pool; got != want {
			t.Errorf("Attach with %q: pool %q", variable, got)
		}
		if got := helloOf(t, serveOnce(WithPool("files"))).Pool; got != "files" {
			t.Errorf("the option beside %q: pool %q", variable, got)
		}
	}
}
