package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// soon is how long a certificate has to last.
const soon = 14 * 24 * time.Hour

// certificates reads the files of the plan.
func (p *Plan) certificates() (list []Result) {
	if p.Cert != "" {
		list = append(list, p.certificate(time.Now()))
	}
	if p.ClientCA != "" {
		list = append(list, p.clientCA())
	}
	return list
}

func (p *Plan) certificate(now time.Time) Result {
	const check = "certificate"
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return Result{check, Fail, err.Error(), "--tls-cert is the chain and --tls-key its key, both in PEM"}
	}
	end := pair.Leaf.NotAfter
	r := ok(check, "%s, until %s", p.Cert, end.Format(time.DateOnly))
	info, err := os.Stat(p.Key)
	switch {
	case now.After(end):
		r.Status, r.Advice = Fail, "it has expired: get a new one"
	case now.Before(pair.Leaf.NotBefore):
		r.Status, r.Advice = Fail, "it is not valid yet: is the clock right?"
	case end.Sub(now) < soon:
		r.Status, r.Advice = Warn, "it expires soon: get a new one"
	case err == nil && info.Mode().Perm()&0o007 != 0:
		r.Status, r.Advice = Warn, fmt.Sprintf("every user can read the key: chmod o= %s", p.Key)
	}
	return r
}

func (p *Plan) clientCA() Result {
	const check = "client authorities"
	text, err := os.ReadFile(p.ClientCA)
	if err != nil {
		return Result{check, Fail, err.Error(), ""}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return Result{check, Fail, p.ClientCA + " has no certificate", "--tls-client-ca is a file in PEM"}
	}
	return ok(check, "%s", p.ClientCA)
}

// nothing is an environment without variables.
func nothing(string) string { return "" }

// socket checks the folder of the worker socket, and who may reach it.
func (p *Plan) socket(running int) Result {
	const check = "worker socket"
	folder := filepath.Dir(p.Socket)
	r := ok(check, "%s", p.Socket)
	info, err := os.Stat(folder)
	switch {
	case running != 0:
		r.Status, r.Found = Warn, fmt.Sprintf("%s: a server runs already, process %d", p.Socket, running)
		r.Advice = "choose another path with --socket for a second server"
		return r
	case errors.Is(err, fs.ErrNotExist) && folder == filepath.Dir(attach.DefaultSocket(nothing)):
		r.Found += " (the folder will be made)"
	case err != nil:
		return Result{check, Fail, err.Error(), "make the folder, or choose another path with --socket"}
	case !info.IsDir() || unix.Access(folder, unix.W_OK|unix.X_OK) != nil:
		return Result{check, Fail, folder + " is no folder that we can write to",
			"choose another path with --socket, or RuntimeDirectory= of the service"}
	}
	if err := attach.CheckSocketFolder(p.Socket); err != nil {
		return Result{check, Fail, err.Error(), "remove the folder, or choose another path with --socket"}
	}
	if p.WorkerUser == nil {
		return r
	}
	warning, err := p.WorkerUser()
	if err != nil {
		return Result{check, Fail, err.Error(), ""}
	}
	if warning != "" {
		return Result{check, Warn, warning, ""}
	}
	return r
}
