package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
)

// pythonTime is how long Python may take to import the SDK and attach.
const pythonTime = 30 * time.Second

// attachProgram attaches to a server, which tells whether the layouts are the same.
const attachProgram = `
import os, sys
try:
    import upload_response
except ImportError:
    if not sys.argv[1]:
        raise
    sys.path.append(sys.argv[1])
    os.environ["UPLOAD_RESPONSE_LIBRARY"] = sys.argv[2]
    import upload_response
upload_response.Worker(lanes=1).close()
print(upload_response.__version__, "%d.%d" % sys.version_info[:2])
`

// python has the SDK of a Python attach to a small server.
func (p *Plan) python() Result {
	const check = "Python SDK"
	if p.Python == "" {
		return ok(check, "there is no Python; only applications in Python need it")
	}
	words, err := p.attachPython()
	r := ok(check, "%s: %s", p.Python, words)
	if err == nil {
		return r
	}
	r.Status, r.Found = Warn, fmt.Sprintf("%s: %v", p.Python, err)
	if p.PythonGiven {
		r.Status = Fail
	}
	r.Advice = fmt.Sprintf("%s -m pip install upload-response==%s", p.Python, server.Version)
	return r
}

// attachPython returns the versions of the SDK and of Python, once it has attached.
func (p *Plan) attachPython() (versions string, err error) {
	folder, err := os.MkdirTemp("", "ur-doctor")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "s")
	stop, err := smallServer(socket)
	if err != nil {
		return "", err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), pythonTime)
	defer cancel()
	command := exec.CommandContext(ctx, p.Python, "-c", attachProgram, p.SDK, p.Library)
	command.Env = append(os.Environ(), attach.SocketVariable+"="+socket, "UPLOAD_RESPONSE_POOL=default",
		"UPLOAD_RESPONSE_SERVER_UID="+strconv.Itoa(os.Geteuid()))
	command.WaitDelay = time.Second
	out, err := command.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	if err != nil && last != "" {
		return "", fmt.Errorf("%s", last)
	}
	if err != nil {
		return "", err
	}
	sdk, python, _ := strings.Cut(last, " ")
	return fmt.Sprintf("version %s in Python %s attaches, layout %d", sdk, python, shm.LayoutMax), nil
}

// smallServer serves workers on a socket. Release: stop.
func smallServer(socket string) (stop func(), err error) {
	c := server.DefaultConfig()
	c.Memory, c.LinkMemory, c.NumStreams, c.MaxLinks = 8<<20, 2<<20, 4, 2
	c.Log = slog.New(slog.DiscardHandler)
	router, err := server.NewRouter(c)
	if err != nil {
		return nil, err
	}
	listener, err := server.ListenWorkers(socket, false)
	if err != nil {
		_ = router.Close()
		return nil, err
	}
	go func() { _ = router.ServeWorkers(listener) }()
	return func() { _, _ = listener.Close(), router.Close() }, nil
}
