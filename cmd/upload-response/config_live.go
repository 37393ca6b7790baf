package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// liveConfig is the configuration of a service for its admin listener.
type liveConfig struct {
	service *service
	key     []byte // of the ETags: without it they would help to guess secrets
}

// liveConfig returns the configuration; nil if the service was not started by serve.
func (v *service) liveConfig() admin.Configuration {
	if v.settings.again == nil {
		return nil
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &liveConfig{v, key}
}

// tag returns the ETag of a file: with the same flags and variables, all values follow from its text.
func (c *liveConfig) tag(f *config.File) string {
	hash := hmac.New(sha256.New, c.key)
	_, _ = hash.Write(f.Text())
	return `"` + hex.EncodeToString(hash.Sum(nil)[:16]) + `"`
}

// Effective implements [admin.Configuration].
func (c *liveConfig) Effective() *admin.Effective {
	f := c.service.now().file
	e := &admin.Effective{File: f.Name(), Tag: c.tag(f), Text: f.Text(),
		Values: f.Origins(c.service.settings.again.flags, true)}
	if e.File != "" {
		text, err := os.ReadFile(e.File)
		e.Saved = err == nil && bytes.Equal(text, e.Text)
	}
	return e
}

// errFileless is returned when there is no file that could be replaced.
var errFileless = fmt.Errorf("%w: the server was started without a configuration file, so that only flags and "+
	"variables count: start it with --config", admin.ErrNotPossible)

// read returns the settings that a text makes.
func (c *liveConfig) read(text []byte) (*settings, error) {
	name := c.service.now().file.Name()
	if name == "" {
		return nil, errFileless
	}
	return c.service.settings.again.read(name, text)
}

// Check implements [admin.Configuration].
func (c *liveConfig) Check(text []byte) ([]admin.Change, error) {
	next, err := c.read(text)
	if err != nil {
		return nil, err
	}
	return admin.Changes(c.service.changes(next)), nil
}

// Replace implements [admin.Configuration].
func (c *liveConfig) Replace(text []byte, matches func(string) bool, save bool) (*admin.Reloaded, error) {
	v := c.service
	v.reloading.Lock()
	defer v.reloading.Unlock()
	before := v.now()
	if !matches(c.tag(before.file)) {
		return nil, admin.ErrOutdated
	}
	next, err := c.read(text)
	if err != nil {
		return nil, err
	}
	var file *replacement
	if save {
		if file, err = prepareReplacement(before.file.Name(), v.onDisk, text); err != nil {
			return nil, fmt.Errorf("%w: %w", admin.ErrNotPossible, err)
		}
		defer file.discard()
	}
	changes, err := v.use(next, "configuration replaced by the admin listener")
	if err != nil {
		return nil, err
	}
	v.manager.noteReload(nil)
	if save {
		if err := file.commit(); err != nil {
			_, undo := v.use(before, "configuration as it was before")
			return nil, fmt.Errorf("%w: %w", admin.ErrNotPossible, errors.Join(err, undo))
		}
		v.onDisk = text
		v.reloadFailed.Store(false)
	}
	return &admin.Reloaded{PID: os.Getpid(), File: next.file.Name(), Changed: admin.Changes(changes),
		Tag: c.tag(next.file)}, nil
}
