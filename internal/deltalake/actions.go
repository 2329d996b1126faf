package deltalake

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/tracemig/tracemig/internal/parquetfile"
	"github.com/tracemig/tracemig/internal/uctables"
)

// action is one line of a commit. Exactly one field is set. Actions without a field here, such as txn and cdc, don't
// change which rows a table has.
type action struct {
	CommitInfo     map[string]any  `json:"commitInfo,omitempty"`
	Protocol       *protocol       `json:"protocol,omitempty"`
	MetaData       *metaData       `json:"metaData,omitempty"`
	DomainMetadata *domainMetadata `json:"domainMetadata,omitempty"`
	Add            *addFile        `json:"add,omitempty"`
	Remove         *removeFile     `json:"remove,omitempty"`
}

type protocol struct {
	MinReaderVersion int      `json:"minReaderVersion"`
	MinWriterVersion int      `json:"minWriterVersion"`
	ReaderFeatures   []string `json:"readerFeatures,omitempty"`
	WriterFeatures   []string `json:"writerFeatures,omitempty"`
}

type metaData struct {
	ID               string            `json:"id"`
	Description      string            `json:"description,omitempty"`
	Format           format            `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      int64             `json:"createdTime,omitempty"` // ms
}

type format struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

type domainMetadata struct {
	Domain        string `json:"domain"`
	Configuration string `json:"configuration"`
	Removed       bool   `json:"removed"`
}

type addFile struct {
	Path             string            `json:"path"` // relative, URL-encoded
	PartitionValues  map[string]string `json:"partitionValues"`
	Size             int64             `json:"size"`
	ModificationTime int64             `json:"modificationTime"` // ms
	DataChange       bool              `json:"dataChange"`
	Stats            string            `json:"stats,omitempty"`
	DeletionVector   *json.RawMessage  `json:"deletionVector,omitempty"`
}

type removeFile struct {
	Path              string `json:"path"`              // as the add action has it
	DeletionTimestamp int64  `json:"deletionTimestamp"` // ms
	DataChange        bool   `json:"dataChange"`
}

// creation is the first commit of a table.
func creation(t uctables.Table, clustering bool, now time.Time) []action {
	p := protocol{
		MinReaderVersion: 3, MinWriterVersion: 7,
		ReaderFeatures: []string{"variantType"},
		WriterFeatures: []string{"appendOnly", "invariants", "variantType"},
	}
	config := make(map[string]string)
	for _, kv := range uctables.Properties {
		config[kv[0]] = kv[1]
	}
	actions := []action{
		{CommitInfo: commitInfo("CREATE TABLE", map[string]any{"isManaged": "false", "partitionBy": "[]"}, now)},
		{Protocol: &p},
		{MetaData: &metaData{
			ID:               uuid.NewString(),
			Description:      t.About(),
			Format:           format{Provider: "parquet", Options: map[string]string{}},
			SchemaString:     string(mustJSON(schemaOf(t))),
			PartitionColumns: []string{},
			Configuration:    config,
			CreatedTime:      now.UnixMilli(),
		}},
	}
	if clustering {
		p.WriterFeatures = append(p.WriterFeatures, "domainMetadata", "clustering")
		columns := [][]string{}
		for _, c := range t.ClusterBy {
			columns = append(columns, []string{c})
		}
		actions = append(actions, action{DomainMetadata: &domainMetadata{
			Domain: "delta.clustering",
			Configuration: string(mustJSON(map[string]any{
				"clusteringColumns": columns, "domainName": "delta.clustering",
			})),
		}})
	}
	return actions
}

func commitInfo(operation string, parameters map[string]any, now time.Time) map[string]any {
	return map[string]any{
		"timestamp": now.UnixMilli(), "operation": operation, "operationParameters": parameters,
		"engineInfo": parquetfile.CreatedBy, "isBlindAppend": false, "txnId": uuid.NewString(),
	}
}
