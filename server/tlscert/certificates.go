// Package tlscert has the certificates that a server shows: those in files, which may change
// while it runs, and one of its own for development; and the tls.Config for them.
package tlscert

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrCertificate is returned when a certificate, its key, or those that sign the
// certificates of clients cannot be used.
var ErrCertificate = errors.New("certificate")

// Files serves the certificate in two PEM files, and the new one when they change. When they
// cannot be used it logs why, and the certificate stays the same.
type Files struct {
	cert, key string
	log       *slog.Logger
	current   atomic.Pointer[tls.Certificate]
	checked   atomic.Int64 // when the files were last checked, Unix nanoseconds

	mu    sync.Mutex
	stamp [2]fileStamp // of the files, when they were read
}

// fileStamp shows whether a file has changed.
type fileStamp struct {
	changed time.Time
	size    int64
}

// checkEvery is how often a handshake has the files checked.
const checkEvery = time.Second

// Load reads the files. It returns [ErrCertificate] when they cannot be used.
func Load(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	return f, f.read()
}

// read reads the files, and serves the certificate in them from now on.
func (f *Files) read() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked.Store(time.Now().UnixNano())
	f.stamp = f.stamps()
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	f.current.Store(&pair)
	return nil
}

// stamps returns the stamps that the files have now. That of a missing file is zero.
func (f *Files) stamps() (stamps [2]fileStamp) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// Reload reads the files now. On an error, which it logs, the certificate stays what it was.
func (f *Files) Reload() error {
	if err := f.read(); err != nil {
		f.log.Error("the certificate stays what it was", "error", err)
		return err
	}
	f.log.Info("certificate read", "file", f.cert, "until", f.current.Load().Leaf.NotAfter)
	return nil
}

// reloadChanged reads the files if they have changed since they were read.
func (f *Files) reloadChanged() {
	before, now := f.checked.Load(), time.Now().UnixNano()
	if now-before < int64(checkEvery) || !f.checked.CompareAndSwap(before, now) {
		return
	}
	f.mu.Lock()
	changed := f.stamps() != f.stamp
	f.mu.Unlock()
	if changed {
		_ = f.Reload()
	}
}

// Get is for [tls.Config.GetCertificate].
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.reloadChanged()
	return f.current.Load(), nil
}
