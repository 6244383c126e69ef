-- What mkys-edge tells over the local socket.
--
-- PUT /routes {"all": true, "set": [[key, value], …]} replaces everything;
-- PUT /routes {"set": [[key, value], …], "remove": [key, …]} changes some.
-- Each answers only when the change is served by every worker: they share the memory.
local cjson = require "cjson.safe"
local routes = ngx.shared.mkys_routes
local state = ngx.shared.mkys_state
local sockets = ngx.shared.mkys_sockets

local _M = {}

local function answer(status, body)
    ngx.status = status
    ngx.header.content_type = "application/json"
    ngx.print(cjson.encode(body))
end

local function body()
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    if not text then
        local name = ngx.req.get_body_file()
        if name then
            local file = io.open(name, "rb")
            text = file:read("*a")
            file:close()
        end
    end
    return cjson.decode(text or "")
end

function _M.routes()
    if ngx.req.get_method() ~= "PUT" then
        return answer(405, { error = "only PUT" })
    end
    local change, wrong = body()
    if type(change) ~= "table" then
        return answer(400, { error = "not JSON: " .. tostring(wrong) })
    end
    if change.all then
        -- what is not in the new set goes; what is stays served all the while
        local keep = {}
        for _, pair in ipairs(change.set or {}) do
            keep[pair[1]] = true
        end
        for _, key in ipairs(routes:get_keys(0)) do
            if not keep[key] then
                routes:delete(key)
            end
        end
    end
    for _, key in ipairs(change.remove or {}) do
        routes:delete(key)
    end
    for _, pair in ipairs(change.set or {}) do
        -- safe_set never pushes another route out when the memory is full
        local ok, why = routes:safe_set(pair[1], pair[2])
        if not ok then
            return answer(507, { error = "the memory for routes is full: " .. tostring(why) })
        end
    end
    if change.all then
        state:set("portal", change.portal or "")
        state:set("ready", true)
    end
    return answer(200, { ok = true })
end

function _M.status()
    local open = {}
    for _, key in ipairs(sockets:get_keys(0)) do
        open[key] = sockets:get(key)
    end
    return answer(200, {
        ready = state:get("ready") == true,
        free = routes:free_space(),
        sockets = open,
        worker = ngx.worker.pid(),
    })
end

return _M
