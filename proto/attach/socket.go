package attach

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// SocketVariable names the environment variable with the path of the worker socket.
const SocketVariable = "UPLOAD_RESPONSE_SOCKET"

// ErrFolder is returned when another user could have created the folder of the default
// socket, or can write to it.
var ErrFolder = errors.New("not a folder that only we can write")

// DefaultSocket returns the path of the worker socket if nobody names another one.
// docs/protocol.md has the rule, which all SDKs share.
func DefaultSocket(getenv func(string) string) string { return systemFolders().socket(getenv) }

// MakeSocketFolder makes the folder of path if path is a default in a folder of its own,
// and checks that folder. It returns [ErrFolder] if somebody else may write to it.
func MakeSocketFolder(path string) error { return systemFolders().create(path) }

// CheckSocketFolder checks the folder of path before a worker connects. It returns
// [ErrFolder] as MakeSocketFolder does; a missing folder is no error.
func CheckSocketFolder(path string) error { return systemFolders().check(path) }

// folders are the places under which a user's server and workers look for the socket.
type folders struct {
	run, tmp string
	uid      int
}

// systemFolders returns the folders of this machine for this process's user.
func systemFolders() folders { return folders{run: "/run", tmp: "/tmp", uid: os.Geteuid()} }

func (f folders) create(path string) error {
	if own := f.own(); filepath.Dir(path) == own {
		if err := os.Mkdir(own, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return f.check(path)
}

func (f folders) check(path string) error {
	own := f.own()
	if filepath.Dir(path) != own {
		return nil
	}
	if _, err := os.Lstat(own); errors.Is(err, fs.ErrNotExist) || f.isOurs(own) {
		return nil
	}
	return fmt.Errorf("%s: %w (user %d)", own, ErrFolder, f.uid)
}

func (f folders) socket(getenv func(string) string) string {
	const file = "upload-response.sock"
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, file)
	}
	if session := filepath.Join(f.run, "user", strconv.Itoa(f.uid)); f.isOurs(session) {
		return filepath.Join(session, file)
	}
	if f.uid == 0 && f.isOurs(f.run) && syscall.Access(f.run, writable) == nil {
		return filepath.Join(f.run, file)
	}
	return filepath.Join(f.own(), file)
}

// writable is W_OK of access(2): a container's /run may be read-only.
const writable = 2

// own returns the folder under tmp that belongs to this user alone.
func (f folders) own() string {
	return filepath.Join(f.tmp, fmt.Sprintf("upload-response-%d", f.uid))
}

// isOurs reports whether path is a directory of our user, not a link to one, that nobody
// else can write.
func (f folders) isOurs(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == f.uid
}
