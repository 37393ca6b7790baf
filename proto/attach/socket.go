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

// ErrFolder is returned when the folder of the default socket is one in which somebody
// else could have put it.
var ErrFolder = errors.New("not a folder that only we can write")

// meeting is where a user's server and workers meet, under the system's folders.
type meeting struct {
	run, tmp string
	uid      int
}

// here is the machine, for this process's user.
func here() meeting { return meeting{run: "/run", tmp: "/tmp", uid: os.Geteuid()} }

// DefaultSocket returns where a server and its workers meet when nobody says otherwise:
// docs/protocol.md has the rule, which all SDKs share.
func DefaultSocket(getenv func(string) string) string { return here().socket(getenv) }

// MakeSocketFolder makes the folder of path if path is a default that lies in a folder of
// its own, and checks it. It returns [ErrFolder] if somebody else may write it.
func MakeSocketFolder(path string) error { return here().makeFolder(path) }

// CheckSocketFolder is MakeSocketFolder for who connects: a folder that is not there is
// none that somebody else may write.
func CheckSocketFolder(path string) error { return here().check(path) }

func (m meeting) makeFolder(path string) error {
	if folder := m.ownFolder(); filepath.Dir(path) == folder {
		if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return m.check(path)
}

func (m meeting) check(path string) error {
	folder := m.ownFolder()
	if filepath.Dir(path) != folder {
		return nil
	}
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) || m.isOurs(folder) {
		return nil
	}
	return fmt.Errorf("%s: %w (user %d)", folder, ErrFolder, m.uid)
}

func (m meeting) socket(getenv func(string) string) string {
	const file = "upload-response.sock"
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, file)
	}
	if session := filepath.Join(m.run, "user", strconv.Itoa(m.uid)); m.isOurs(session) {
		return filepath.Join(session, file)
	}
	if m.uid == 0 && m.isOurs(m.run) && syscall.Access(m.run, writable) == nil {
		return filepath.Join(m.run, file)
	}
	return filepath.Join(m.ownFolder(), file)
}

// writable is W_OK of access(2): a container's /run may be read-only.
const writable = 2

func (m meeting) ownFolder() string {
	return filepath.Join(m.tmp, fmt.Sprintf("upload-response-%d", m.uid))
}

// isOurs reports whether path is a folder of our user, itself and not by a link, that
// nobody else can write.
func (m meeting) isOurs(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == m.uid
}
