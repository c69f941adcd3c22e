# Configuration, target and file set; layout, patterns, partitions and markers are in CMakeLists.txt.
list(APPEND DATASET_SOURCES commit_head.c data_walk.c descriptor.c document.c fence.c fileset.c gate.c init.c open.c probe.c
  resolve.c schema_evolve.c schema_json.c schema_versions.c target.c target_config.c timing.c url.c
  pattern_walk.c view_def.c view_key.c view_put.c view_rows.c view_store.c)
