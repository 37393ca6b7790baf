package websocket

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// Codes of the registry of RFC 6455 section 11.7 that package ws does not have.
const (
	statusServiceRestart ws.StatusCode = 1012
	statusBadGateway     ws.StatusCode = 1014
)

// ruleError is a rule of RFC 6455 that a client broke, and the code that says so.
type ruleError struct {
	code ws.StatusCode
	err  error
}

func (e *ruleError) Error() string { return e.err.Error() }
func (e *ruleError) Unwrap() error { return e.err }

func brokenRule(code ws.StatusCode, err error) error {
	return fmt.Errorf("%w: %w", fault.ErrWebSocket, &ruleError{code, err})
}

var errNotUTF8 = brokenRule(ws.StatusInvalidFramePayloadData, errors.New("text that is not UTF-8"))

// CloseCode returns the code that closes a WebSocket on a failure.
func CloseCode(err error) ws.StatusCode {
	var rule *ruleError
	if errors.As(err, &rule) {
		return rule.code
	}
	return ws.StatusCode(fault.Of(err).Close())
}

// ClosePayload returns the payload of a Close.
func ClosePayload(code ws.StatusCode, reason string) []byte {
	return ws.NewCloseFrameBody(code, reason)
}

// CheckClose checks the payload of a Close (RFC 6455 sections 5.5.1 and 7.4).
func CheckClose(payload []byte) error {
	switch len(payload) {
	case 0:
		return nil
	case 1:
		return brokenRule(ws.StatusProtocolError, errors.New("half a code in a Close"))
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if code >= statusServiceRestart && code <= statusBadGateway {
		code = ws.StatusNormalClosure // package ws knows this one, and it is as valid
	}
	if err := ws.CheckCloseFrameData(code, reason); err != nil {
		return brokenRule(ws.StatusProtocolError, fmt.Errorf("close: %w", err))
	}
	if code >= 5000 {
		return brokenRule(ws.StatusProtocolError, fmt.Errorf("close: code %d", code))
	}
	return nil
}

// EchoClose returns the payload that answers a Close: the same code.
func EchoClose(payload []byte) []byte { return payload[:min(2, len(payload))] }
