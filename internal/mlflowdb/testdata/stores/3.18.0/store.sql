BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('f4a9b2c7d1e6');
CREATE TABLE "assessments" (
	assessment_id VARCHAR(50) NOT NULL, 
	trace_id VARCHAR(50) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	assessment_type VARCHAR(20) NOT NULL, 
	value TEXT NOT NULL, 
	error TEXT, 
	created_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	source_type VARCHAR(50) NOT NULL, 
	source_id VARCHAR(250), 
	run_id VARCHAR(32), 
	span_id VARCHAR(50), 
	rationale TEXT, 
	overrides VARCHAR(50), 
	valid BOOLEAN NOT NULL, 
	assessment_metadata TEXT, 
	experiment_id INTEGER, 
	trace_timestamp_ms BIGINT, 
	aggregate_value FLOAT, 
	is_numeric_value BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT assessments_pk PRIMARY KEY (assessment_id), 
	CONSTRAINT fk_assessments_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "assessments" VALUES('a-14f790594d464207aa5ef6d193beb9f5','tr-10517b9fa6cd538cd7da436b251709f7','true','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,1.0,0);
INSERT INTO "assessments" VALUES('a-533809febbc648718741557a59376366','tr-10517b9fa6cd538cd7da436b251709f7','false','feedback','false',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,0.0,0);
INSERT INTO "assessments" VALUES('a-7eea4ff856c648e59c8cb5c65b2a81d7','tr-10517b9fa6cd538cd7da436b251709f7','int','feedback','5.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,5.0,1);
INSERT INTO "assessments" VALUES('a-dca6bab4466a424882fc17deb8f3262a','tr-10517b9fa6cd538cd7da436b251709f7','float','feedback','0.1',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,0.1,1);
INSERT INTO "assessments" VALUES('a-091c26cdea814e33a26d77e9366046b1','tr-10517b9fa6cd538cd7da436b251709f7','whole','feedback','2.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,2.0,1);
INSERT INTO "assessments" VALUES('a-b469b3430b924adeb4c7595b904e632a','tr-10517b9fa6cd538cd7da436b251709f7','text','feedback','"good"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-765eada32e6b4db2a8cc6498be6c81b6','tr-10517b9fa6cd538cd7da436b251709f7','empty','feedback','""',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-0e5482a184bc44d29676c2b9d4b0cff0','tr-10517b9fa6cd538cd7da436b251709f7','list','feedback','["a"]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-dcb1b87597f44b8e96d7ebad6debaf51','tr-10517b9fa6cd538cd7da436b251709f7','ints','feedback','[1.0, 2.0]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-bab019de72084797a892963c3decb2ca','tr-10517b9fa6cd538cd7da436b251709f7','object','feedback','{"k": 1.0}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-5d952bf798b14a43b7756fc3e73ded6c','tr-10517b9fa6cd538cd7da436b251709f7','nested','feedback','{"a": [{"b": null}]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-cd39366c59894b9295ffb70e55ed8136','tr-10517b9fa6cd538cd7da436b251709f7','number text','feedback','"12"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-e6d6b120af8e441087f0070330a2ff00','tr-10517b9fa6cd538cd7da436b251709f7','unicode','feedback','"\ud83d\ude00\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-d35aba42867a4d1cb0f191e9c673fcfa','tr-10517b9fa6cd538cd7da436b251709f7','failed','feedback','null','{"error_code": "TIMEOUT", "error_message": "too ''long''", "stack_trace": "Traceback\n line"}',1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-e675baa7aa7c487f97717a1fa4611ad1','tr-10517b9fa6cd538cd7da436b251709f7','code only','feedback','null','{"error_code": "RATE_LIMIT", "error_message": null, "stack_trace": null}',1740787203000,1740787204000,'CODE','scorer.py:12',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-fff788cc24254a129c46b02df665c910','tr-10517b9fa6cd538cd7da436b251709f7','withdrawn','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,1.0,0);
INSERT INTO "assessments" VALUES('a-fe7036d03f85429c9fa5265d725d7cfe','tr-10517b9fa6cd538cd7da436b251709f7','metadata','feedback','1.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,'because
''it'' is 😀',NULL,1,'{"k": "v", "dots.in.key": "y", "empty": ""}',1,1740787202000,1.0,1);
INSERT INTO "assessments" VALUES('a-3b8e1c0f798641b6920086735fe1c8e0','tr-10517b9fa6cd538cd7da436b251709f7','on child','feedback','"yes"',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,'0c18003af931c064',NULL,NULL,1,NULL,1,1740787202000,1.0,0);
INSERT INTO "assessments" VALUES('a-049d43e8a6b64d15b066849ff6dc714a','tr-10517b9fa6cd538cd7da436b251709f7','later','feedback','1.0',NULL,1740787207001,1740787207999,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,1.0,1);
INSERT INTO "assessments" VALUES('a-f17a1100734148af96b1bb5a6b0d1b09','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.2',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,'first',NULL,0,'{"v": "1"}',1,1740787202000,0.2,1);
INSERT INTO "assessments" VALUES('a-58fff6dea9de4491ab423ddd1d9b7b47','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.9',NULL,1795778348831,1795778348831,'HUMAN','ann@example.com',NULL,NULL,'second','a-f17a1100734148af96b1bb5a6b0d1b09',0,NULL,1,1740787202000,0.9,1);
INSERT INTO "assessments" VALUES('a-fcffb1fd4dc442c4b9c87b04cfebddf6','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.5',NULL,1795778348845,1795778348845,'HUMAN','ann@example.com',NULL,NULL,'third','a-58fff6dea9de4491ab423ddd1d9b7b47',1,NULL,1,1740787202000,0.5,1);
INSERT INTO "assessments" VALUES('a-db6652afeaa042d7bf02617391850454','tr-10517b9fa6cd538cd7da436b251709f7','text','expectation','"forty-two"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,'{"set": "gold"}',1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-cd6bd304b1164275b5c6fa7589e68bcc','tr-10517b9fa6cd538cd7da436b251709f7','int','expectation','7.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,7.0,1);
INSERT INTO "assessments" VALUES('a-fcf2aa8f4b26487ca2a9f14fa5c61b66','tr-10517b9fa6cd538cd7da436b251709f7','float','expectation','0.25',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,0.25,1);
INSERT INTO "assessments" VALUES('a-0d52e2fd093e48a584dce103861fabb2','tr-10517b9fa6cd538cd7da436b251709f7','bool','expectation','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,1.0,0);
INSERT INTO "assessments" VALUES('a-6665feec025d4ddeab123e4ffefeb554','tr-10517b9fa6cd538cd7da436b251709f7','list','expectation','["a", null, {"b": 2}]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-195173c2b96841aa983ae1584278931a','tr-10517b9fa6cd538cd7da436b251709f7','object','expectation','{"n": 9007199254740993}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-44b48093a73e461a9a3c81b1b5c3ba4d','tr-10517b9fa6cd538cd7da436b251709f7','empty list','expectation','[]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-ecf6bb37b2a74ec9b138413abc0ff0c8','tr-10517b9fa6cd538cd7da436b251709f7','json text','expectation','"[1]"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL,1,1740787202000,NULL,0);
INSERT INTO "assessments" VALUES('a-61e2c3e01f6b4b2fb9fa836f3e0b8e97','tr-10517b9fa6cd538cd7da436b251709f7','on child','expectation','{"k": [1]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,'0c18003af931c064',NULL,NULL,1,NULL,1,1740787202000,NULL,0);
CREATE TABLE entity_associations (
	association_id VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	created_time BIGINT, 
	CONSTRAINT entity_associations_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO "entity_associations" VALUES('4a8d96bc164745edaf595eb7003c2035','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','4d9e2b1cf62b4b40850a5d7522a68686',1795778349192);
INSERT INTO "entity_associations" VALUES('7ab46100f7cf487080101aa2bb5c6a76','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','6fdca20db1f942d3bd13d4ac61236fbd',1795778349212);
INSERT INTO "entity_associations" VALUES('b406a9ea03f44001a8eb28ac6f141f40','trace','tr-80e85c4a072d13a8aba0e39b79c8fada','run','e5e9bd0219dd41918c575b53751b8072',1795778349233);
CREATE TABLE "experiment_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(0,'Default','mlflow-artifacts:/0','active',1795778345795,1795778345795,'default');
INSERT INTO "experiments" VALUES(1,'stores','mlflow-artifacts:/1','active',1795778348237,1795778348237,'default');
INSERT INTO "experiments" VALUES(2,'other','mlflow-artifacts:/2','active',1795778349165,1795778349165,'default');
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('d6d86abfb4c6412b96efe5c1141486df','producer','UNKNOWN','','','ann','FINISHED',1795778349013,1795778349090,'','active','mlflow-artifacts:/1/d6d86abfb4c6412b96efe5c1141486df/artifacts',1,NULL);
INSERT INTO "runs" VALUES('4d9e2b1cf62b4b40850a5d7522a68686','efficient-ape-94','UNKNOWN','','','unknown','RUNNING',1795778349170,NULL,'','active','mlflow-artifacts:/1/4d9e2b1cf62b4b40850a5d7522a68686/artifacts',1,NULL);
INSERT INTO "runs" VALUES('6fdca20db1f942d3bd13d4ac61236fbd','grandiose-newt-493','UNKNOWN','','','unknown','RUNNING',1795778349196,NULL,'','active','mlflow-artifacts:/1/6fdca20db1f942d3bd13d4ac61236fbd/artifacts',1,NULL);
INSERT INTO "runs" VALUES('e5e9bd0219dd41918c575b53751b8072','funny-panda-663','UNKNOWN','','','unknown','RUNNING',1795778349215,NULL,'','active','mlflow-artifacts:/2/e5e9bd0219dd41918c575b53751b8072/artifacts',2,NULL);
CREATE TABLE "spans" (
	trace_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	span_id VARCHAR(50) NOT NULL, 
	parent_span_id VARCHAR(50), 
	name TEXT, 
	type VARCHAR(500), 
	status VARCHAR(50) NOT NULL, 
	start_time_unix_nano BIGINT NOT NULL, 
	end_time_unix_nano BIGINT, 
	duration_ns BIGINT GENERATED ALWAYS AS (end_time_unix_nano - start_time_unix_nano) STORED, 
	content TEXT NOT NULL, 
	input_cost FLOAT, 
	output_cost FLOAT, 
	total_cost FLOAT, 
	model_name VARCHAR(500), 
	model_provider VARCHAR(500), 
	CONSTRAINT spans_pk PRIMARY KEY (trace_id, span_id), 
	CONSTRAINT fk_spans_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_spans_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "spans" VALUES('tr-cb8c670b8787651eb35f93b46456f252',1,'728cbd9ea4f5427e','bad79403d069f243','llm','CHAT_MODEL','OK',1740787200001000000,1740787200006000007,'{"trace_id": "y4xnC4eHZR6zX5O0ZFbyUg==", "span_id": "coy9nqT1Qn4=", "parent_span_id": "uteUA9Bp8kM=", "name": "llm", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787200001000000, "end_time_unix_nano": 1740787200006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787200001000000", "mlflow.traceRequestId": "\"tr-cb8c670b8787651eb35f93b46456f252\"", "mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.spanInputs": "{\"m\": \"hi\"}", "mlflow.chat.tokenUsage": "{\"input_tokens\": 12, \"output_tokens\": 5, \"total_tokens\": 17}", "mlflow.llm.model": "\"model-x\"", "mlflow.llm.cost": "{\"input_cost\": 1e-07, \"output_cost\": 0.25, \"total_cost\": 0.2500001}", "mlflow.spanOutputs": "\"ok\"", "mlflow.spanLogLevel": "20"}, "links": []}',1.0e-07,0.25,0.2500001,'model-x',NULL);
INSERT INTO "spans" VALUES('tr-cb8c670b8787651eb35f93b46456f252',1,'bad79403d069f243',NULL,'turn 😀','AGENT','OK',1740787200000000000,1740787200030000000,'{"trace_id": "y4xnC4eHZR6zX5O0ZFbyUg==", "span_id": "uteUA9Bp8kM=", "parent_span_id": null, "name": "turn 😀", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787200000000000, "end_time_unix_nano": 1740787200030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787200000000000", "mlflow.experimentId": "\"1\"", "mlflow.traceRequestId": "\"tr-cb8c670b8787651eb35f93b46456f252\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": \"hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello \"}", "mlflow.spanOutputs": "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',1,'0d5bd5019246d41c','ad1b5a511a52fb1c','tool 😀','TOOL','ERROR',1740787201001000000,1740787201006000007,'{"trace_id": "rxrswhQaLFySibSrT5pftA==", "span_id": "DVvVAZJG1Bw=", "parent_span_id": "rRtaURpS+xw=", "name": "tool 😀", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787201001000000, "end_time_unix_nano": 1740787201006000007, "events": [], "status": {"code": "STATUS_CODE_ERROR", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787201001000000", "mlflow.traceRequestId": "\"tr-af1aecc2141a2c5c9289b4ab4f9a5fb4\"", "mlflow.spanType": "\"TOOL\"", "mlflow.spanInputs": "\"just text\"", "mlflow.spanOutputs": "[9007199254740993, null]", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',1,'ad1b5a511a52fb1c',NULL,'values','AGENT','ERROR',1740787201000000000,1740787201030000000,'{"trace_id": "rxrswhQaLFySibSrT5pftA==", "span_id": "rRtaURpS+xw=", "parent_span_id": null, "name": "values", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787201000000000, "end_time_unix_nano": 1740787201030000000, "events": [{"name": "typed", "time_unix_nano": 1740787201000000001, "attributes": {"s": "text", "i": 9007199254740993, "f": 0.1, "b": true, "list": ["a", "b"]}}, {"name": "before", "time_unix_nano": 1740787200999999999, "attributes": {}}], "status": {"code": "STATUS_CODE_ERROR", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787201000000000", "mlflow.experimentId": "\"1\"", "mlflow.traceRequestId": "\"tr-af1aecc2141a2c5c9289b4ab4f9a5fb4\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"texts\": {\"emoji\": \"😀👩‍👩‍👧‍👦\", \"combining\": \"é\", \"rtl\": \"שלום ‮عالم\", \"dollar\": \"${x} $y\", \"quotes\": \"''single'' \\\"double\\\"\", \"backslash\": \"\\\\ \\\\n \\\\u0041\", \"newlines\": \"a\\nb\\r\\nc\", \"separators\": \"  \", \"json\": \"{\\\"a\\\": 1}\", \"number\": \"12\"}, \"nested\": {\"a\": [1, [2, {\"b\": [null, true, {}, [], \"\"]}]]}, \"big\": 9007199254740993, \"max\": 9223372036854775807, \"small\": 1e-07, \"whole\": 1.0, \"third\": 0.3333333333333333}", "dots.in.key": "{\"texts\": {\"emoji\": \"😀👩‍👩‍👧‍👦\", \"combining\": \"é\", \"rtl\": \"שלום ‮عالم\", \"dollar\": \"${x} $y\", \"quotes\": \"''single'' \\\"double\\\"\", \"backslash\": \"\\\\ \\\\n \\\\u0041\", \"newlines\": \"a\\nb\\r\\nc\", \"separators\": \"  \", \"json\": \"{\\\"a\\\": 1}\", \"number\": \"12\"}, \"nested\": {\"a\": [1, [2, {\"b\": [null, true, {}, [], \"\"]}]]}, \"big\": 9007199254740993, \"max\": 9223372036854775807, \"small\": 1e-07, \"whole\": 1.0, \"third\": 0.3333333333333333}", "none": "null", "mlflow.spanOutputs": "0", "mlflow.spanLogLevel": "20"}, "links": [{"trace_id": "tr-a57202c6fa08c635b0d49fc32ac722e3", "span_id": "00f067aa0ba902b7", "attributes": {"why": "follows", "n": 3}}]}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',1,'0c18003af931c064','8cce47c286eeae00','llm','LLM','OK',1740787202001000000,1740787202006000007,'{"trace_id": "EFF7n6bNU4zX2kNrJRcJ9w==", "span_id": "DBgAOvkxwGQ=", "parent_span_id": "jM5HwoburgA=", "name": "llm", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787202001000000, "end_time_unix_nano": 1740787202006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787202001000000", "mlflow.traceRequestId": "\"tr-10517b9fa6cd538cd7da436b251709f7\"", "mlflow.spanType": "\"LLM\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',1,'8cce47c286eeae00',NULL,'assessed','AGENT','OK',1740787202000000000,1740787202030000000,'{"trace_id": "EFF7n6bNU4zX2kNrJRcJ9w==", "span_id": "jM5HwoburgA=", "parent_span_id": null, "name": "assessed", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787202000000000, "end_time_unix_nano": 1740787202030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787202000000000", "mlflow.experimentId": "\"1\"", "mlflow.traceRequestId": "\"tr-10517b9fa6cd538cd7da436b251709f7\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": 1}", "mlflow.spanOutputs": "\"a\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,'3b5e3a71fee258e7','7b50393d834c20a3','llm','LLM','OK',1740787205001000000,1740787205006000007,'{"trace_id": "KTOB5qnt7IGq0rTBsxw0Mg==", "span_id": "O146cf7iWOc=", "parent_span_id": "e1A5PYNMIKM=", "name": "llm", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787205001000000, "end_time_unix_nano": 1740787205006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787205001000000", "mlflow.traceRequestId": "\"tr-293381e6a9edec81aad2b4c1b31c3432\"", "mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "{\"q\": \"in run\"}", "mlflow.spanOutputs": "\"a\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,'7b50393d834c20a3',NULL,'agent','AGENT','OK',1740787205000000000,1740787205030000000,'{"trace_id": "KTOB5qnt7IGq0rTBsxw0Mg==", "span_id": "e1A5PYNMIKM=", "parent_span_id": null, "name": "agent", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787205000000000, "end_time_unix_nano": 1740787205030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787205000000000", "mlflow.experimentId": "\"1\"", "mlflow.traceRequestId": "\"tr-293381e6a9edec81aad2b4c1b31c3432\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": \"in run\"}", "mlflow.spanOutputs": "\"a\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',1,'32fd7aa0d95d63f2','7de8f6dff7a76346','llm','LLM','OK',1740787206001000000,1740787206006000007,'{"trace_id": "gOhcSgctE6iroOObecj62g==", "span_id": "Mv16oNldY/I=", "parent_span_id": "fej23/enY0Y=", "name": "llm", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787206001000000, "end_time_unix_nano": 1740787206006000007, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787206001000000", "mlflow.traceRequestId": "\"tr-80e85c4a072d13a8aba0e39b79c8fada\"", "mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "{\"q\": \"linked\"}", "mlflow.spanOutputs": "\"a\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "spans" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',1,'7de8f6dff7a76346',NULL,'agent','AGENT','OK',1740787206000000000,1740787206030000000,'{"trace_id": "gOhcSgctE6iroOObecj62g==", "span_id": "fej23/enY0Y=", "parent_span_id": null, "name": "agent", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1740787206000000000, "end_time_unix_nano": 1740787206030000000, "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanStartTimeNs": "1740787206000000000", "mlflow.experimentId": "\"1\"", "mlflow.traceRequestId": "\"tr-80e85c4a072d13a8aba0e39b79c8fada\"", "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"q\": \"linked\"}", "mlflow.spanOutputs": "\"a\"", "mlflow.spanLogLevel": "20"}, "links": []}',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "trace_info" (
	request_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	timestamp_ms BIGINT NOT NULL, 
	execution_time_ms BIGINT, 
	status VARCHAR(50) NOT NULL, 
	client_request_id VARCHAR(50), 
	request_preview VARCHAR(1000), 
	response_preview VARCHAR(1000), 
	db_payload_generation INTEGER DEFAULT '0' NOT NULL, trace_name VARCHAR(4096), session_id VARCHAR(250), input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, cache_read_input_tokens BIGINT, cache_creation_input_tokens BIGINT, cache_creation_input_tokens_above_1hr BIGINT, input_cost FLOAT, output_cost FLOAT, total_cost FLOAT, 
	CONSTRAINT trace_info_pk PRIMARY KEY (request_id), 
	CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
INSERT INTO "trace_info" VALUES('tr-cb8c670b8787651eb35f93b46456f252',1,1740787200000,30,'OK','request ''one'' ü','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...',3,'turn 😀','session-😀-1',12,5,17,NULL,NULL,NULL,1.0e-07,0.25,0.2500001);
INSERT INTO "trace_info" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',1,1740787201000,30,'ERROR',NULL,'{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "nested": {"a": [1, [2, {"b": [null, true, {}, [], ""]}]]}, "big": 9007199254740993, "max": 9223372036854775807, "small": 1e-07, "whole": 1.0, "third": 0.3333333333333333}','0',3,'values',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',1,1740787202000,30,'OK',NULL,'{"q": 1}','"a"',3,'assessed',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bcf05c5e00',1,1740787203000,NULL,'OK',NULL,NULL,NULL,0,'info only',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bd2bf72800',1,1740787204000,NULL,'IN_PROGRESS',NULL,NULL,NULL,0,'info only',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,1740787205000,30,'OK',NULL,'{"q": "in run"}','"a"',3,'agent',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',1,1740787206000,30,'OK',NULL,'{"q": "linked"}','"a"',3,'agent',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "trace_info" VALUES('tr-b71267570b76945ff0c6fac416a3ae18',1,1740787207000,30,'ERROR',NULL,'{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "nested": {"a": [1, [2, {"b": [null, true, {}, [], ""]}]]}, "big": 9007199254740993, "max": 9223372036854775807, "small": 1e-07, "whole": 1.0, "third": 0.3333333333333333}','0',0,'values',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "trace_request_metadata" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_request_metadata_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_request_metadata" VALUES('empty','','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mine','x','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','8409','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 8409, "num_spans": 2, "max": 3912, "p25": 1587, "p50": 2362, "p75": 3137}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.user','user ''one''','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('ключ','שלום ‮عالم','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4660','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4660, "num_spans": 2, "max": 2211, "p25": 1011, "p50": 1411, "p75": 1811}','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1868','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1868, "num_spans": 2, "max": 601, "p25": 529, "p50": 553, "p75": 577}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": 1}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.sourceRun','d6d86abfb4c6412b96efe5c1141486df','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','2018','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 2018, "num_spans": 2, "max": 607, "p25": 587, "p50": 594, "p75": 600}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "in run"}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1962','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1962, "num_spans": 2, "max": 607, "p25": 587, "p50": 594, "p75": 600}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "linked"}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.infoFinalized','true','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4665','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4665, "num_spans": 2, "max": 2211, "p25": 1011, "p50": 1411, "p75": 1811}','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE TABLE "trace_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_tag_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-cb8c670b8787651eb35f93b46456f252/artifacts','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('corpus.case','session','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-af1aecc2141a2c5c9289b4ab4f9a5fb4/artifacts','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('corpus.case','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-10517b9fa6cd538cd7da436b251709f7/artifacts','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('corpus.case','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('corpus.case','tags_only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bcf05c5e00/artifacts','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('corpus.case','in_progress','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bd2bf72800/artifacts','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-293381e6a9edec81aad2b4c1b31c3432/artifacts','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('corpus.case','in_run','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-80e85c4a072d13a8aba0e39b79c8fada/artifacts','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('mlflow.trace.spansLocation','TRACKING_STORE','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('corpus.case','linked','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('corpus.case','values_file','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-b71267570b76945ff0c6fac416a3ae18/artifacts','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);
CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id);
CREATE INDEX index_entity_associations_association_id ON entity_associations (association_id);
CREATE INDEX index_entity_associations_reverse_lookup ON entity_associations (destination_type, destination_id, source_type, source_id);
CREATE INDEX idx_experiments_workspace ON experiments (workspace);
CREATE INDEX idx_experiments_workspace_creation_time ON experiments (workspace, creation_time);
CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);
CREATE INDEX index_trace_info_timestamp_ms_request_id ON trace_info (timestamp_ms, request_id);
CREATE INDEX index_assessments_assessment_type ON assessments (assessment_type);
CREATE INDEX index_assessments_trace_id_created_timestamp ON assessments (trace_id, created_timestamp);
CREATE INDEX index_assessments_last_updated_timestamp ON assessments (last_updated_timestamp);
CREATE INDEX index_assessments_run_id_created_timestamp ON assessments (run_id, created_timestamp);
CREATE INDEX index_spans_experiment_id_type_status ON spans (experiment_id, type, status);
CREATE INDEX index_spans_experiment_id_duration ON spans (experiment_id, duration_ns);
CREATE INDEX index_spans_experiment_id_start_time ON spans (experiment_id, start_time_unix_nano);
CREATE INDEX index_spans_experiment_id_status_type ON spans (experiment_id, status, type);
CREATE INDEX index_trace_info_experiment_id_session_id ON trace_info (experiment_id, session_id);
CREATE INDEX idx_spans_cost_trace_time_cover ON spans (trace_id, start_time_unix_nano);
CREATE INDEX idx_spans_cost_exp_time_cover ON spans (experiment_id, start_time_unix_nano);
CREATE INDEX idx_assessments_exp_trace_ts ON assessments (experiment_id, trace_timestamp_ms);
CREATE INDEX idx_assessments_exp_trace_ts_name ON assessments (experiment_id, trace_timestamp_ms, name);
CREATE INDEX idx_assessments_exp_name_valid ON assessments (experiment_id, name, valid);
COMMIT;
