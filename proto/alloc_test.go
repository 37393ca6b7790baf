package proto

import "testing"

func checkAllocs(t *testing.T, what string, want float64, f func()) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	if got := testing.AllocsPerRun(100, f); got != want {
		t.Errorf("%s allocates %v times, want %v", what, got, want)
	}
}

func TestAppendAllocatesNothingInACapacityOfTheExactSize(t *testing.T) {
	request, response := typicalRequest(), typicalResponse()
	request.Fields[0].Name = "Host"
	dst := make([]byte, 0, request.Size())
	checkAllocs(t, "AppendRequest", 0, func() { _, _ = AppendRequest(dst, request) })
	dst = make([]byte, 0, response.Size())
	checkAllocs(t, "AppendResponse", 0, func() { _, _ = AppendResponse(dst, response) })
	dst = make([]byte, 0, fieldsSize(request.Fields))
	checkAllocs(t, "AppendFields", 0, func() { _, _ = AppendFields(dst, request.Fields) })
	dst = make([]byte, 0, endBytes)
	checkAllocs(t, "AppendEnd", 0, func() { AppendEnd(dst, 1) })
	dst = make([]byte, 0, headBytes+1+5)
	body := []byte("hello")
	checkAllocs(t, "AppendBody", 0, func() { AppendBody(dst, 1, body) })
}

func TestAppendGrowsOnce(t *testing.T) {
	request := typicalRequest()
	checkAllocs(t, "AppendRequest to nil", 1, func() { _, _ = AppendRequest(nil, request) })
}

func TestParseAllocatesItsCopyAlone(t *testing.T) {
	request, err := AppendRequest(nil, typicalRequest())
	request = mustFrame(t, request, err)
	r := Request{Fields: make([]Field, 0, 10)}
	checkAllocs(t, "Request.Parse", 1, func() { _, _ = r.Parse(request) })
	if len(r.Fields) != 10 {
		t.Fatal("not parsed")
	}
	response, err := AppendResponse(nil, typicalResponse())
	response = mustFrame(t, response, err)
	p := Response{Fields: make([]Field, 0, 5)}
	checkAllocs(t, "Response.Parse", 1, func() { _, _ = p.Parse(response) })
	list, err := AppendFields(nil, r.Fields)
	list = mustFrame(t, list, err)
	checkAllocs(t, "ParseFields", 1, func() { _, _, _ = ParseFields(list, r.Fields) })
}

func TestParseOfBodyAndEndAllocatesNothing(t *testing.T) {
	body, end := AppendBody(nil, 1, []byte("hello")), AppendEnd(nil, 1)
	checkAllocs(t, "ParseBody", 0, func() { _, _, _, _ = ParseBody(body) })
	checkAllocs(t, "ParseEnd", 0, func() { _, _, _ = ParseEnd(end) })
	checkAllocs(t, "ParseFrameType", 0, func() { _, _ = ParseFrameType(body) })
}

func TestAnAnnouncedCountIsNotAllocated(t *testing.T) {
	list := []byte{0x80, 0x40, 1, 'a', 0} // 8192 fields, of which one is there
	checkAllocs(t, "ParseFields, but for its copy,", 1, func() { _, _, _ = ParseFields(list, nil) })
}
