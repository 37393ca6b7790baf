package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/server"
)

// handle does what a signal asks for: it opens log files again and logs the counters, or reads the certificate files
// again. It returns false for a signal that asks the service to end.
func (v *service) handle(s os.Signal) bool {
	switch s {
	case unix.SIGUSR1:
		v.reopenLogs()
		attrs := append(statsAttrs(v.router.Stats()), slog.Int64("lost_log_lines", v.output.lostLines()))
		v.log.LogAttrs(context.Background(), slog.LevelInfo, "stats", attrs...)
	case unix.SIGHUP:
		go func() {
			if _, err := v.reloadNow(); errors.Is(err, errNoFiles) {
				v.log.Info("signal ignored", "signal", s, "because", err)
			}
		}()
	case unix.SIGUSR2:
		go v.tryUpgrade()
	default:
		return false
	}
	return true
}

// reloadNow reads the certificate files and the configuration file again, and replaces the workers if the settings
// say so. The log says what is in the error, too, unless there is nothing to do.
func (v *service) reloadNow() (*admin.Reloaded, error) {
	v.manager.reloading()
	answer, err := v.readAgain()
	failure := err
	if errors.Is(err, errNoFiles) {
		failure = nil
	}
	v.manager.reloaded(failure, v.statusLine)
	return answer, err
}

func (v *service) readAgain() (*admin.Reloaded, error) {
	answer := &admin.Reloaded{PID: os.Getpid(), Changed: []admin.Change{}}
	err := v.certificates.reload()
	if !v.hasFile() && !v.settings.workers.reload {
		return answer, err
	}
	if errors.Is(err, errNoFiles) {
		err = nil
	}
	if v.hasFile() {
		changes, failure := v.reload()
		answer.File, answer.Changed = v.now().file.Name(), admin.Changes(changes)
		err = errors.Join(err, failure)
	}
	if v.now().workers.reload {
		err = errors.Join(err, v.restartAll())
	}
	return answer, err
}

// restartAll replaces the processes of all apps, those of each app one after the other.
func (v *service) restartAll() (failure error) {
	for _, a := range v.workers.Apps() {
		if err := v.workers.Restart(a.Name); err != nil {
			v.log.Error("workers of the app were not replaced", "app", a.Name, "error", err)
			failure = errors.Join(failure, fmt.Errorf("workers of app %s were not replaced: %w", a.Name, err))
			continue
		}
		v.log.Info("workers of the app were replaced", "app", a.Name, "processes", a.Processes)
	}
	return failure
}

// statsAttrs makes an attribute of each field, with the name that it has in JSON.
func statsAttrs(stats server.Stats) (attrs []slog.Attr) {
	values := reflect.ValueOf(stats)
	for i, field := range reflect.VisibleFields(values.Type()) {
		attrs = append(attrs, slog.Any(field.Tag.Get("json"), values.Field(i).Interface()))
	}
	return attrs
}
