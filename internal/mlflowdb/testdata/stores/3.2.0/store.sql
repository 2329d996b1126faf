BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('770bee3ae1dd');
CREATE TABLE assessments (
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
	CONSTRAINT assessments_pk PRIMARY KEY (assessment_id), 
	CONSTRAINT fk_assessments_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "assessments" VALUES('a-37177397a7864ac79a143feaf37b9843','tr-10517b9fa6cd538cd7da436b251709f7','true','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-90bf6efa7def4050aaf4194d1bd25232','tr-10517b9fa6cd538cd7da436b251709f7','false','feedback','false',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-585ea3aee8b440439fbc12e5b460a17d','tr-10517b9fa6cd538cd7da436b251709f7','int','feedback','5.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-bc2802407ee849bd8b01ee10fa44365c','tr-10517b9fa6cd538cd7da436b251709f7','float','feedback','0.1',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-9ba53807d93f472abf944420e58469f6','tr-10517b9fa6cd538cd7da436b251709f7','whole','feedback','2.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-4cbb95d26967473d81ae3c9d35e1e5e6','tr-10517b9fa6cd538cd7da436b251709f7','text','feedback','"good"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e8b6717ca88245629368c4375fc39b3a','tr-10517b9fa6cd538cd7da436b251709f7','empty','feedback','""',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e6c9df129b3345feb513746eab5e07d8','tr-10517b9fa6cd538cd7da436b251709f7','list','feedback','["a"]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-262f0a9d6a7943a293e2b6da74211df4','tr-10517b9fa6cd538cd7da436b251709f7','ints','feedback','[1.0, 2.0]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-92c8d8127e9646089138e14ee3a86d70','tr-10517b9fa6cd538cd7da436b251709f7','object','feedback','{"k": 1.0}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-751e5264dd5e4ceaab4f9dd9fcea22fd','tr-10517b9fa6cd538cd7da436b251709f7','nested','feedback','{"a": [{"b": null}]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-d51024012a1f4d8c93e5413d212ca411','tr-10517b9fa6cd538cd7da436b251709f7','number text','feedback','"12"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-a57ff5f8ea0d4bf9839c7d943f7c8fa4','tr-10517b9fa6cd538cd7da436b251709f7','unicode','feedback','"\ud83d\ude00\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-ef5421721442466ab1d1d69d58d1cd3e','tr-10517b9fa6cd538cd7da436b251709f7','failed','feedback','null','{"error_code": "TIMEOUT", "error_message": "too ''long''", "stack_trace": "Traceback\n line"}',1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-e1859437e48a41f58f686c8b4a9a1b4b','tr-10517b9fa6cd538cd7da436b251709f7','code only','feedback','null','{"error_code": "RATE_LIMIT", "error_message": null, "stack_trace": null}',1740787203000,1740787204000,'CODE','scorer.py:12',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-9c4d8e47ddb84beabcc6e04baba45101','tr-10517b9fa6cd538cd7da436b251709f7','withdrawn','feedback','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-faffada9ea4c407bb29f0d4c9f5a6f8c','tr-10517b9fa6cd538cd7da436b251709f7','metadata','feedback','1.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,'because
''it'' is 😀',NULL,1,'{"k": "v", "dots.in.key": "y", "empty": ""}');
INSERT INTO "assessments" VALUES('a-4c5ec9546bbd4f7cb332538c11802c16','tr-10517b9fa6cd538cd7da436b251709f7','on child','feedback','"yes"',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,'0c18003af931c064',NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-56036d5833cd4cc08ab5dbab4671b74e','tr-10517b9fa6cd538cd7da436b251709f7','later','feedback','1.0',NULL,1740787207001,1740787207999,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-3fa02d4ab87b4f56bfafd121f24de78a','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.2',NULL,1740787203000,1740787204000,'LLM_JUDGE','judge',NULL,NULL,'first',NULL,0,'{"v": "1"}');
INSERT INTO "assessments" VALUES('a-935c1ba6b0e5435ab110c839df00fbf6','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.9',NULL,1795778423635,1795778423635,'HUMAN','ann@example.com',NULL,NULL,'second','a-3fa02d4ab87b4f56bfafd121f24de78a',0,NULL);
INSERT INTO "assessments" VALUES('a-a376c8d536f74c6e96270c42de2614ee','tr-10517b9fa6cd538cd7da436b251709f7','relevance','feedback','0.5',NULL,1795778423664,1795778423664,'HUMAN','ann@example.com',NULL,NULL,'third','a-935c1ba6b0e5435ab110c839df00fbf6',1,NULL);
INSERT INTO "assessments" VALUES('a-b1078e519a154759a98bc77d0b16e9e9','tr-10517b9fa6cd538cd7da436b251709f7','text','expectation','"forty-two"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,'{"set": "gold"}');
INSERT INTO "assessments" VALUES('a-5c7d6c989bda440bb36b8bf12f08b5fb','tr-10517b9fa6cd538cd7da436b251709f7','int','expectation','7.0',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-f065413e7fda4aec8f825de5c417dec5','tr-10517b9fa6cd538cd7da436b251709f7','float','expectation','0.25',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-b1cc26292b244f96ac8bdc1faa03e0ea','tr-10517b9fa6cd538cd7da436b251709f7','bool','expectation','true',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-b82d19c94fe74608a5f6ea701169da13','tr-10517b9fa6cd538cd7da436b251709f7','list','expectation','["a", null, {"b": 2}]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-c228a79dcf2e4632abf15e0764e0ab77','tr-10517b9fa6cd538cd7da436b251709f7','object','expectation','{"n": 9007199254740993}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-66302d82bb754001b44ba8e4dc84ab12','tr-10517b9fa6cd538cd7da436b251709f7','empty list','expectation','[]',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-74bb43018f6c4e969359c5855c1262ef','tr-10517b9fa6cd538cd7da436b251709f7','json text','expectation','"[1]"',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "assessments" VALUES('a-75f764f1d4e342ec83f990e6332e8d2d','tr-10517b9fa6cd538cd7da436b251709f7','on child','expectation','{"k": [1]}',NULL,1740787203000,1740787204000,'HUMAN','ann@example.com',NULL,'0c18003af931c064',NULL,NULL,1,NULL);
CREATE TABLE experiment_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES(0,'Default','mlflow-artifacts:/0','active',1795778421191,1795778421191);
INSERT INTO "experiments" VALUES(1,'stores','mlflow-artifacts:/1','active',1795778422862,1795778422862);
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
INSERT INTO "runs" VALUES('534a08c162bf407890b78c5ef4fbcd5f','producer','UNKNOWN','','','ann','FINISHED',1795778423910,1795778423968,'','active','mlflow-artifacts:/1/534a08c162bf407890b78c5ef4fbcd5f/artifacts',1,NULL);
CREATE TABLE trace_info (
	request_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	timestamp_ms BIGINT NOT NULL, 
	execution_time_ms BIGINT, 
	status VARCHAR(50) NOT NULL, client_request_id VARCHAR(50), request_preview VARCHAR(1000), response_preview VARCHAR(1000), 
	CONSTRAINT trace_info_pk PRIMARY KEY (request_id), 
	CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "trace_info" VALUES('tr-cb8c670b8787651eb35f93b46456f252',1,1740787200000,30,'OK','request ''one'' ü','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...');
INSERT INTO "trace_info" VALUES('tr-af1aecc2141a2c5c9289b4ab4f9a5fb4',1,1740787201000,30,'ERROR',NULL,'{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "nested": {"a": [1, [2, {"b": [null, true, {}, [], ""]}]]}, "big": 9007199254740993, "max": 9223372036854775807, "small": 1e-07, "whole": 1.0, "third": 0.3333333333333333}','0');
INSERT INTO "trace_info" VALUES('tr-10517b9fa6cd538cd7da436b251709f7',1,1740787202000,30,'OK',NULL,'{"q": 1}','"a"');
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bcf05c5e00',1,1740787203000,NULL,'OK',NULL,'','');
INSERT INTO "trace_info" VALUES('tr-0000000000000000182884bd2bf72800',1,1740787204000,NULL,'IN_PROGRESS',NULL,'','');
INSERT INTO "trace_info" VALUES('tr-293381e6a9edec81aad2b4c1b31c3432',1,1740787205000,30,'OK',NULL,'{"q": "in run"}','"a"');
INSERT INTO "trace_info" VALUES('tr-80e85c4a072d13a8aba0e39b79c8fada',1,1740787206000,30,'OK',NULL,'{"q": "linked"}','"a"');
INSERT INTO "trace_info" VALUES('tr-b71267570b76945ff0c6fac416a3ae18',1,1740787207000,30,'ERROR',NULL,'{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "nested": {"a": [1, [2, {"b": [null, true, {}, [], ""]}]]}, "big": 9007199254740993, "max": 9223372036854775807, "small": 1e-07, "whole": 1.0, "third": 0.3333333333333333}','0');
CREATE TABLE "trace_request_metadata" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_request_metadata_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','8273','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.session','session-😀-1','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.cost','{"input_cost": 1e-07, "output_cost": 0.25, "total_cost": 0.2500001}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.user','user ''one''','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello hello ...','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('empty','','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mine','x','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('ключ','שלום ‮عالم','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.tokenUsage','{"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 8273, "num_spans": 2, "max": 3843, "p25": 1519, "p50": 2294, "p75": 3068}','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4414','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4414, "num_spans": 2, "max": 2032, "p25": 916, "p50": 1288, "p75": 1660}','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1732','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1732, "num_spans": 2, "max": 532, "p25": 462, "p50": 485, "p75": 508}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": 1}','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1882','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1882, "num_spans": 2, "max": 538, "p25": 520, "p50": 526, "p75": 532}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "in run"}','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.sourceRun','534a08c162bf407890b78c5ef4fbcd5f','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','1826','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 1826, "num_spans": 2, "max": 538, "p25": 520, "p50": 526, "p75": 532}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','"a"','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"q": "linked"}','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeBytes','4419','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace_schema.version','3','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.user','ann','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.trace.sizeStats','{"total_size_bytes": 4419, "num_spans": 2, "max": 2032, "p25": 916, "p50": 1288, "p75": 1660}','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.branch','main','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceOutputs','0','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.commit','1e9453854f49acad713dc7d9027a3413a048d79b','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.type','LOCAL','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.traceInputs','{"texts": {"emoji": "😀👩‍👩‍👧‍👦", "combining": "é", "rtl": "שלום ‮عالم", "dollar": "${x} $y", "quotes": "''single'' \"double\"", "backslash": "\\ \\n \\u0041", "newlines": "a\nb\r\nc", "separators": "  ", "json": "{\"a\": 1}", "number": "12"}, "neste...','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.git.repoURL','https://git.example.com/agents','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_request_metadata" VALUES('mlflow.source.name','agent.py','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE TABLE "trace_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_tag_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
INSERT INTO "trace_tags" VALUES('corpus.case','session','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','turn 😀','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-cb8c670b8787651eb35f93b46456f252/artifacts','tr-cb8c670b8787651eb35f93b46456f252');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('corpus.case','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','values','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-af1aecc2141a2c5c9289b4ab4f9a5fb4/artifacts','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-af1aecc2141a2c5c9289b4ab4f9a5fb4');
INSERT INTO "trace_tags" VALUES('corpus.case','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','assessed','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-10517b9fa6cd538cd7da436b251709f7/artifacts','tr-10517b9fa6cd538cd7da436b251709f7');
INSERT INTO "trace_tags" VALUES('corpus.case','tags_only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','info only','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bcf05c5e00/artifacts','tr-0000000000000000182884bcf05c5e00');
INSERT INTO "trace_tags" VALUES('corpus.case','in_progress','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','info only','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-0000000000000000182884bd2bf72800/artifacts','tr-0000000000000000182884bd2bf72800');
INSERT INTO "trace_tags" VALUES('corpus.case','in_run','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','agent','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-293381e6a9edec81aad2b4c1b31c3432/artifacts','tr-293381e6a9edec81aad2b4c1b31c3432');
INSERT INTO "trace_tags" VALUES('corpus.case','linked','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','agent','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-80e85c4a072d13a8aba0e39b79c8fada/artifacts','tr-80e85c4a072d13a8aba0e39b79c8fada');
INSERT INTO "trace_tags" VALUES('empty','no longer','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('corpus.case','values_file','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('mlflow.traceName','values','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('quotes','''single'' "double"','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('mlflow.artifactLocation','mlflow-artifacts:/1/traces/tr-b71267570b76945ff0c6fac416a3ae18/artifacts','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('unicode','😀👩‍👩‍👧‍👦','tr-b71267570b76945ff0c6fac416a3ae18');
INSERT INTO "trace_tags" VALUES('newlines','a
b
c','tr-b71267570b76945ff0c6fac416a3ae18');
CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);
CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);
CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id);
CREATE INDEX index_assessments_trace_id_created_timestamp ON assessments (trace_id, created_timestamp);
CREATE INDEX index_assessments_run_id_created_timestamp ON assessments (run_id, created_timestamp);
CREATE INDEX index_assessments_last_updated_timestamp ON assessments (last_updated_timestamp);
CREATE INDEX index_assessments_assessment_type ON assessments (assessment_type);
COMMIT;
