package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"pare/measure"
	"pare/run"
)

// cancelled reads as long as somebody waits for it.
type cancelled struct {
	ctx context.Context
	io.ReaderAt
}

func (c *cancelled) ReadAt(b []byte, at int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.ReaderAt.ReadAt(b, at)
}

// layered is a network of a run's results with its layers.
type layered struct {
	Name   string          `json:"name"`
	Size   measure.Size    `json:"size"`
	Layers []measure.Layer `json:"layers"`
}

// Bounds of results.
const (
	mostResults  = 64 << 20
	mostNetworks = 64
	mostLayers   = 20000 // of all networks together
)

// layers gives the layers of the networks that a run's results hold: of model prune the
// network before and after. Those of other commands may hold none.
func (s *Server) layers(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r.PathValue("run"))
	if err != nil {
		return err
	}
	ns, err := s.layersOf(r.Context(), e.Dir)
	if err != nil {
		return err
	}
	return give(w, r, map[string]any{"networks": ns})
}

func (s *Server) layersOf(ctx context.Context, dir string) ([]layered, error) {
	release, err := s.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	b, err := read(dir, run.ResultsFile, mostResults)
	if errors.Is(err, errNoFile) { // it has none, or not yet
		return []layered{}, nil
	}
	if err != nil {
		return nil, err
	}
	var top struct {
		Networks json.RawMessage `json:"networks"`
	}
	if err := json.Unmarshal(b, &top); err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, fmt.Sprintf("%s is broken: %v", run.ResultsFile, err))
	}
	var ns []layered
	if json.Unmarshal(top.Networks, &ns) != nil { // other commands may call something else so
		ns = nil
	}
	out, n := []layered{}, 0
	for _, x := range ns {
		if len(x.Layers) == 0 {
			continue
		}
		if n += len(x.Layers); n > mostLayers || len(out) == mostNetworks {
			return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the results hold more than %d networks or %d layers: download %s", mostNetworks, mostLayers, run.ResultsFile))
		}
		out = append(out, x)
	}
	return out, nil
}
