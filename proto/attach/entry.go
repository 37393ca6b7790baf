package attach

import (
	"math"
	"reflect"
	"strconv"
)

// An entry is a key of a message and its value: a uint64, string, []byte or bool.
type entry struct {
	key   string
	value any
}

// entries are those of one message, in the order of the packet.
type entries []entry

// store sets field to the value of key, if the message has that key. Preconditions:
// field is a string or an unsigned integer.
func (all entries) store(key string, field reflect.Value) error {
	stored := false
	for _, e := range all {
		if e.key != key {
			continue
		}
		if stored {
			return malformed(key, "there twice")
		}
		if err := e.storeIn(field); err != nil {
			return err
		}
		stored = true
	}
	return nil
}

func (e *entry) storeIn(field reflect.Value) error {
	switch value := e.value.(type) {
	case string:
		if field.Kind() == reflect.String {
			field.SetString(value)
			return nil
		}
	case uint64:
		if field.CanUint() {
			return e.storeUint(field, value)
		}
	}
	want := "a string"
	if field.CanUint() {
		want = "a uint"
	}
	return malformed(e.key, typeName(e.value)+" where "+want+" belongs")
}

func (e *entry) storeUint(field reflect.Value, n uint64) error {
	if field.OverflowUint(n) {
		most := uint64(math.MaxUint64) >> (64 - field.Type().Bits())
		return malformed(e.key, strconv.FormatUint(n, 10)+" is more than "+strconv.FormatUint(most, 10))
	}
	field.SetUint(n)
	return nil
}

func typeName(value any) string {
	switch value.(type) {
	case uint64:
		return "a uint"
	case string:
		return "a string"
	case []byte:
		return "a bin"
	}
	return "a bool"
}
