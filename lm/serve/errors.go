package serve

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"pare/catalog"
	"pare/internal/openai"
	"pare/internal/printable"
	"pare/lm"
)

// problem is an error that is the server's own.
type problem struct {
	status      int
	code, param string
	text        string
}

func (p *problem) Error() string { return p.text }

// bad says what is wrong with a field.
func bad(param, format string, a ...any) error {
	return &problem{status: http.StatusBadRequest, code: string(lm.Invalid), param: param, text: fmt.Sprintf(format, a...)}
}

// statuses is what a kind of error is in HTTP.
var statuses = map[lm.Kind]int{
	lm.Invalid:     http.StatusBadRequest,
	lm.Unsupported: http.StatusBadRequest,
	lm.TooLong:     http.StatusBadRequest,
	lm.Refused:     http.StatusForbidden,
	lm.Unrecorded:  http.StatusNotFound,
	lm.RateLimited: http.StatusTooManyRequests,
	lm.OverBudget:  http.StatusTooManyRequests,
	lm.Rubbish:     http.StatusBadGateway,
	lm.Unavailable: http.StatusServiceUnavailable,
	lm.TimedOut:    http.StatusGatewayTimeout,
	lm.Cancelled:   http.StatusServiceUnavailable,
	lm.Broken:      http.StatusInternalServerError,
}

// names is how requests call the fields of this program's.
var names = map[string]string{
	"Messages": "messages", "Prompt": "prompt", "Continue": "continue_final_message", "N": "n", "MaxTokens": "max_tokens", "Temperature": "temperature",
	"TopP": "top_p", "TopK": "top_k", "MinP": "min_p", "RepetitionPenalty": "repetition_penalty", "Seed": "seed", "Stop": "stop", "Logprobs": "logprobs",
	"Alternatives": "top_logprobs", "Text": "prompt", "Texts": "input", "Dimensions": "dimensions",
}

// explain is an error in OpenAI's words, with its status and how long to wait.
func explain(err error) (status int, out openai.Error, wait int) {
	var p *problem
	if errors.As(err, &p) {
		out = openai.Error{Message: p.text, Code: p.code}
		if p.param != "" {
			out.Param = p.param
		}
		out.Type = kindOf(p.status)
		return p.status, out, 0
	}
	kind := lm.KindOf(err)
	status = cmp.Or(statuses[kind], http.StatusInternalServerError)
	text := err.Error()
	var field *catalog.Error
	if errors.As(err, &field) {
		text = catalog.Rename(err, func(f string) string {
			if out.Param == nil && names[f] != "" {
				out.Param = names[f]
			}
			return cmp.Or(names[f], f)
		})
	}
	out.Message, out.Type, out.Code = printable.Line(text), kindOf(status), string(kind)
	if kind == lm.TooLong {
		out.Code = "context_length_exceeded"
	}
	var e *lm.Error
	if errors.As(err, &e) {
		wait = int(math.Ceil(e.Wait.Seconds()))
	}
	return status, out, wait
}

// kindOf is OpenAI's type of errors of a status.
func kindOf(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	status, body, wait := explain(err)
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	if k := lm.KindOf(err); k == lm.OverBudget || k == lm.Unrecorded { // it will not be otherwise next time
		w.Header().Set("X-Should-Retry", "false")
	}
	send(w, status, openai.Failure{Error: &body})
}
