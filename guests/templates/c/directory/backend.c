/* {{name}}: volumes are directories of a pool, which is a directory of the node that the operator granted.
 *
 * This file has what the host calls; bindings/backend.h declares it, from the contract in wit/. Each call gets a fresh
 * instance, so that nothing is kept here. What becomes of names and modes is in volumes.c, with tests. */
#include "text.h"
#include "volumes.h"

typedef drivebay_driver_files_borrow_directory_t directory;

/* The directory that the operator's file grants under that name. */
static bool open_pool(directory *pool, error *err) {
    text name = T("pool");
    drivebay_driver_files_own_directory_t opened;
    if (!drivebay_driver_mounts_open_directory(&name, &opened, err))
        return false;
    *pool = drivebay_driver_files_borrow_directory(opened);
    return true;
}

/* not-found unless the volume is there. An id may be what a person wrote. */
static bool require(directory pool, text id, error *err) {
    if (!is_id(id.ptr, id.len))
        return FAIL(err, INVALID_ARGUMENT, T("volume \""), id,
                    T("\": write the name of one directory of the pool, not beginning with a dot"));
    drivebay_driver_files_file_status_t status;
    bool is_there = drivebay_driver_files_method_directory_stat(pool, &id, &status, err);
    if (!is_there && err->tag != DRIVEBAY_DRIVER_TYPES_ERROR_NOT_FOUND)
        return false;
    if (!is_there || !equal(status.kind, T("directory")))
        return FAIL(err, NOT_FOUND, T("the pool has no volume "), id);
    return true;
}

static bool refuse_block(const drivebay_driver_types_access_type_t *kind, error *err) {
    if (kind->tag == DRIVEBAY_DRIVER_TYPES_ACCESS_TYPE_BLOCK)
        return FAIL(err, UNSUPPORTED, T("a volume is a directory and cannot be a block device"));
    return true;
}

typedef exports_drivebay_driver_controller_list_volume_capability_t capability_list;

static bool refuse_blocks(const capability_list *capabilities, error *err) {
    for (size_t at = 0; at < capabilities->len; at++)
        if (!refuse_block(&capabilities->ptr[at].kind, err))
            return false;
    return true;
}

/* What would be ignored is refused. */
static bool refuse_choices(const drivebay_driver_types_access_type_t *kind, error *err) {
    if (!refuse_block(kind, err))
        return false;
    const drivebay_driver_types_filesystem_access_t *chosen = &kind->val.filesystem;
    if (chosen->fs_type.len == 0 && chosen->mount_options.len == 0)
        return true;
    text first = chosen->fs_type.len > 0 ? chosen->fs_type : chosen->mount_options.ptr[0];
    return FAIL(err, INVALID_ARGUMENT, first, T(": a volume is a directory and has what its pool has; write none"));
}

/* A directory has no size of its own: Kubernetes takes 0 for what the claim asked for. */
static drivebay_driver_types_volume_info_t info(text id) {
    return (drivebay_driver_types_volume_info_t){.id = JOIN(id)};
}

/* identity */

void exports_drivebay_driver_identity_describe(exports_drivebay_driver_identity_description_t *ret) {
    exports_drivebay_driver_identity_parameter_t *mode = allocate(sizeof *mode);
    *mode = (exports_drivebay_driver_identity_parameter_t){
        .name = JOIN(T("mode")),
        .scope = JOIN(T("storage-class")),
        .default_ = {.is_some = true, .val = JOIN(T("0755"))},
        .description = JOIN(T("Permission bits of a volume's directory, in octal.")),
    };
    *ret = (exports_drivebay_driver_identity_description_t){
        .name = JOIN(T("{{name}}")),
        .version = JOIN(T("0.1.0")),
        .summary = JOIN(T("directories of a pool")),
        .parameters = {mode, 1},
    };
}

/* controller */

bool exports_drivebay_driver_controller_create_volume(drivebay_driver_types_create_request_t *request,
                                                      drivebay_driver_types_volume_info_t *ret, error *err) {
    capability_list capabilities = {request->capabilities.ptr, request->capabilities.len};
    if (!refuse_blocks(&capabilities, err))
        return false;
    text written = parameter(&request->parameters, T("mode"), T("0755"));
    uint32_t mode;
    if (!read_mode(written.ptr, written.len, &mode))
        return FAIL(err, INVALID_ARGUMENT, T("mode \""), written, T("\": write octal digits, as 0755"));
    uint8_t bytes[LONGEST_ID];
    text id = {bytes, id_for(request->name.ptr, request->name.len, bytes)};
    if (id.len == 0)
        return FAIL(err, INVALID_ARGUMENT, T("a volume without a name has no id; write one"));
    directory pool;
    if (!open_pool(&pool, err) || !drivebay_driver_files_method_directory_mkdir(pool, &id, mode, err))
        return false;
    tell(JOIN(T("volume "), id, T(" is there")));
    *ret = info(id);
    return true;
}

/* What create_volume cannot have made is not there. */
bool exports_drivebay_driver_controller_delete_volume(text *id, error *err) {
    directory pool;
    if (!is_id(id->ptr, id->len))
        return true;
    return open_pool(&pool, err) && drivebay_driver_files_method_directory_remove_tree(pool, id, err);
}

bool exports_drivebay_driver_controller_validate_volume(drivebay_driver_types_volume_t *volume,
                                                        capability_list *capabilities, error *err) {
    directory pool;
    return open_pool(&pool, err) && require(pool, volume->id, err) && refuse_blocks(capabilities, err);
}

bool exports_drivebay_driver_controller_get_volume(text *id, drivebay_driver_types_volume_info_t *ret, error *err) {
    directory pool;
    if (!open_pool(&pool, err) || !require(pool, *id, err))
        return false;
    *ret = info(*id);
    return true;
}

/* node */

/* The host's name for this node will do, and there is no limit of volumes. */
bool exports_drivebay_driver_node_get_info(exports_drivebay_driver_node_node_info_t *ret, error *err) {
    (void)err;
    *ret = (exports_drivebay_driver_node_node_info_t){.max_volumes = 0};
    return true;
}

/* The host has made the target, and binds, remounts and unmounts; it also remembers what it mounted. */
bool exports_drivebay_driver_node_stage_volume(exports_drivebay_driver_node_stage_request_t *request,
                                               drivebay_driver_mounts_borrow_target_t target, error *err) {
    directory pool;
    return refuse_choices(&request->kind, err) && open_pool(&pool, err) && require(pool, request->volume.id, err) &&
           drivebay_driver_mounts_method_target_bind(target, pool, &request->volume.id, err);
}

bool exports_drivebay_driver_node_get_health(drivebay_driver_types_volume_t *volume,
                                             exports_drivebay_driver_node_health_t *ret, error *err) {
    directory pool;
    if (!open_pool(&pool, err))
        return false;
    *ret = (exports_drivebay_driver_node_health_t){.tag = EXPORTS_DRIVEBAY_DRIVER_NODE_HEALTH_OK};
    if (require(pool, volume->id, err))
        return true;
    if (err->tag != DRIVEBAY_DRIVER_TYPES_ERROR_NOT_FOUND)
        return false;
    ret->tag = EXPORTS_DRIVEBAY_DRIVER_NODE_HEALTH_INACCESSIBLE;
    ret->val.inaccessible = err->val.not_found;
    return true;
}
