package bench

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ShowProgress says what is being measured, on a line that the next one replaces; an
// empty format clears the line. Nothing is written to what is not a terminal.
func (o *Options) ShowProgress(format string, args ...any) {
	if file, ok := o.Progress.(*os.File); ok && isTerminal(file) {
		fmt.Fprintf(file, "\r\x1b[K"+format, args...)
	}
}

func isTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
