package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// workerSource is the C worker, from the root of the repository.
const workerSource = "sdk/c/bench/worker.c"

// cWorker returns the program of the C worker, which it builds unless there is one.
func (o *Options) cWorker(dir string) (string, error) {
	if o.CWorker != "" {
		return o.CWorker, nil
	}
	cc, err := compiler()
	if err != nil {
		return "", err
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "worker")
	return program, compile(cc, "-std=gnu11", "-O2", "-I", filepath.Join(root, "sdk/c/include"), "-o", program, filepath.Join(root, workerSource), "-pthread")
}

func compile(cc string, args ...string) error {
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cc, err, out)
	}
	return nil
}

// compiler returns the C compiler.
func compiler() (string, error) {
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", errors.New("no C compiler")
}

// repository returns the root of the repository: of the folder that we are called
// in, or that our program is in.
func repository() (string, error) {
	here, _ := os.Getwd()
	self, _ := os.Executable()
	for _, dir := range []string{here, filepath.Dir(self)} {
		for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, workerSource)); err == nil {
				return dir, nil
			}
		}
	}
	return "", errors.New("the sources are not here: call it in a folder of the repository")
}
