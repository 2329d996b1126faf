package mlflowdb

import (
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
